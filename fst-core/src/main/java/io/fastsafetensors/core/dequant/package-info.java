/// De-quantisation: which tensors of a checkpoint are quantised, by which scheme and with which scales; and a view of the
/// checkpoint in which they are plain floats, made while they are read.
@NullMarked
package io.fastsafetensors.core.dequant;

import org.jspecify.annotations.NullMarked;
