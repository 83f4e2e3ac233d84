/// The C library's memory calls: one interface with their names, one binding through the foreign-function API.
/// Nothing else in this module is native.
/// Tests give the interface a scripted implementation.
@NullMarked
package io.fastsafetensors.backend.cpu.ffm;

import org.jspecify.annotations.NullMarked;
