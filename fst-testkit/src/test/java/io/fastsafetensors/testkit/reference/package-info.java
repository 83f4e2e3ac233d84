/// Tests of the package of the same name in the main sources.
/// The scalar reference against facts that it does not compute itself: Java's own casts, and values from the formats' specifications.
/// Random numbers come from the seed that failures print.
@NullMarked
package io.fastsafetensors.testkit.reference;

import org.jspecify.annotations.NullMarked;
