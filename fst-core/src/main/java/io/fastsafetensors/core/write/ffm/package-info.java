/// The C library's call that gives a file its space before it is written: one interface, one binding through the
/// foreign-function API. Everything else that writing needs, the JDK has.
/// Tests give the interface a scripted implementation.
@NullMarked
package io.fastsafetensors.core.write.ffm;

import org.jspecify.annotations.NullMarked;
