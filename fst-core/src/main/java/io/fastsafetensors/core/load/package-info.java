/// One load into memory that stays: what a loader's loads share ([LoadTarget]), a load that is planned ([PreparedLoad]), and
/// the weights that it leaves ([LoadedWeights]), whose tensors wait for their own blocks alone.
/// Before it: transfer brings the blocks, tensor is what is handed out. After it: stream makes many small loads of one
/// checkpoint, collective hands what ranks loaded to one another.
@NullMarked
package io.fastsafetensors.core.load;

import org.jspecify.annotations.NullMarked;
