/// Tests of the package of the same name in the main sources.
/// Each kind of leak is found, and what is no leak is not.
/// Random numbers come from the seed that failures print.
@NullMarked
package io.fastsafetensors.testkit.leak;

import org.jspecify.annotations.NullMarked;
