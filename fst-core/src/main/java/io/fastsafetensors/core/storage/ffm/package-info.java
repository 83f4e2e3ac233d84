/// The C library's file calls: one interface with their names, one binding through the foreign-function API.
/// Nothing else in core's read path is native.
/// Tests give the interface a scripted implementation.
@NullMarked
package io.fastsafetensors.core.storage.ffm;

import org.jspecify.annotations.NullMarked;
