/// A loader of a few hundred lines, right or with one defect, to put the rules about files to the test without fst-core.
/// It reads what fixtures write and nothing else; the rest of the user API is not there.
/// Found by the service loader, as the real one is.
@NullMarked
package io.fastsafetensors.testkit.loader;

import org.jspecify.annotations.NullMarked;
