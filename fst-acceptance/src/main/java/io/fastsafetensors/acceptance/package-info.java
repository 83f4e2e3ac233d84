/// Judges, when everything else is built, the documents, and the tests that did not run.
@NullMarked
package io.fastsafetensors.acceptance;

import org.jspecify.annotations.NullMarked;
