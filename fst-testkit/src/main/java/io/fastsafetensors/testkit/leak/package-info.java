/// Finds what a test leaves behind: open files, threads, mappings, memory, unclosed backend objects.
/// Looks at the process from outside, through `/proc`; elsewhere than on Linux only threads and counted objects are
/// checked.
@NullMarked
package io.fastsafetensors.testkit.leak;

import org.jspecify.annotations.NullMarked;
