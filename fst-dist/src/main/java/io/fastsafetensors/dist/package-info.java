/// The build of the command's distribution.
@NullMarked
package io.fastsafetensors.dist;

import org.jspecify.annotations.NullMarked;
