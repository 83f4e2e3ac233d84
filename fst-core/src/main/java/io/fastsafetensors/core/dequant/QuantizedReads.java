package io.fastsafetensors.core.dequant;

import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/// Ability of a file of de-quantised tensors: to hand out what they are made of, for a device that multiplies itself.
public interface QuantizedReads {
    /// Told of some elements.
    interface Sink {
        /// Elements and their scales are in the memory.
        ///
        /// @param source where the elements begin there
        /// @param sourceBytes how many bytes they have
        /// @param from what they are
        /// @param scales where their scales begin, F32, at a multiple of 4
        /// @param scaleBytes how many bytes those have
        /// @param grid which scale is whose
        /// @param firstElement the first element's index in its tensor
        /// @param firstScale the first scale's index among those of its tensor
        /// @param fileOffset where the de-quantised elements begin in the file
        /// @param to what they become
        void quantized(long source, long sourceBytes, DType from, long scales, long scaleBytes, ScaleGrid grid,
                long firstElement, long firstScale, long fileOffset, DType to);
    }

    /// What the elements of its tensors are.
    Set<DType> elements();

    /// What they become.
    DType result();

    /// How many bytes of the file one byte of memory holds the parts of, at least 1, with some room for what parts are rounded
    /// up to. Where tensors are tiny their parts may take more all the same.
    double growth();

    /// Reads what some bytes of one tensor are made of.
    ///
    /// The sink is called once, on this thread, before it returns.
    ///
    /// @param from the offset of the first byte in the file
    /// @param to the offset past the last one
    /// @param memory native memory
    /// @param used how much of it is in use already
    /// @param sink told when it is there
    /// @return how much of the memory is in use now; -1 if there is no room, or a whole number of bytes of elements does not
    ///         make these
    long readQuantized(long from, long to, MemorySegment memory, long used, Sink sink);
}
