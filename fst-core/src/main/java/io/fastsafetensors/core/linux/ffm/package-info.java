/// Linux's C library: every native call of core, as one interface with the C names, and its binding through the
/// foreign-function API. What is above works without it, by the JDK alone. Tests give the interface a scripted
/// implementation.
@NullMarked
package io.fastsafetensors.core.linux.ffm;

import org.jspecify.annotations.NullMarked;
