/// cuFile and the two calls of the C library that it needs: an interface with the C names and a binding through the
/// foreign-function API for each, and cuFile's structures.
/// Nothing else in this module is native; tests give the interfaces scripted implementations.
@NullMarked
package io.fastsafetensors.backend.cuda.gds.ffm;

import org.jspecify.annotations.NullMarked;
