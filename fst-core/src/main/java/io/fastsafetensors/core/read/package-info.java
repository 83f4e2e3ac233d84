/// Blocks of files, as fast as storage gives them: out of the page cache what is there, past it what is not.
/// Before it: plan says which ranges. After it: transfer says where they go.
@NullMarked
package io.fastsafetensors.core.read;

import org.jspecify.annotations.NullMarked;
