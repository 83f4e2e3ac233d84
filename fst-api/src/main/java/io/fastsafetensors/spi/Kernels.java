package io.fastsafetensors.spi;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.DType;

/// Conversion and strided gather on the device. Work is queued on the given stream, in order with its copies, or done before
/// the call returns.
///
/// Many threads may use one object at once, each with a stream of its own. The stream is one of the same backend; another
/// one's is an [IllegalArgumentException] where the work is queued. Arguments are checked before anything is queued.
///
/// All backends agree bit for bit; the conformance suite holds the scalar reference. The rules:
///
/// * equal dtypes are copied bit for bit: a signalling NaN stays one, a BOOL of 7 stays 7. All that follows is about
///   different ones.
/// * float → narrower float: round to nearest, ties to even, by integer arithmetic. A value beyond the largest finite
///   one becomes infinity where the target has it (F64, F32, F16, BF16, F8_E5M2), and the largest finite value of that
///   sign where it has not (F8_E4M3, both FNUZ, F6, F4); an infinity likewise.
/// * NaN stays NaN: sign kept, payload's top bits kept, and the quiet bit set, where the target has NaN payloads
///   (F64, F32, F16, BF16, F8_E5M2); else the target's one NaN (with the sign in F8_E4M3); F4 and F6, which have no
///   NaN, get their positive zero. The one NaN of a source without payloads becomes the quiet NaN without a further
///   payload; its sign is kept from F8_E4M3, and positive from the others (both FNUZ, F8_E8M0), which have none.
/// * to F8_E8M0 (powers of two, no sign, no zero): the nearest power of two of the magnitude, ties to the even
///   exponent code; zero and too small become the smallest (2^−127), too large the largest (2^127); NaN and
///   infinities become NaN (0xFF).
/// * negative zero becomes positive zero where the target has no negative zero (both FNUZ).
/// * float → integer: round to nearest even, then saturate; NaN becomes 0. Integer → integer: saturate.
///   Integer → float: round to nearest even, overflow as above.
/// * → BOOL: 0 (and −0) is 0, everything else, NaN included, is 1. From BOOL: any byte but 0 counts as 1.
/// * U64 and I64 convert exactly, not through F64, wherever the target can tell.
/// * C64 converts only to itself.
public interface Kernels {
    /// Whether the pair is supported. Equal dtypes always are; so is every pair without C64 on a conforming backend.
    default boolean supports(DType from, DType to) {
        return from == to || (from != DType.C64 && to != DType.C64);
    }

    /// Converts consecutive elements.
    ///
    /// @param source exactly `elements` of `from`; does not overlap the target
    /// @param target exactly `elements` of `to`
    /// @param elements how many; sub-byte dtypes fill whole bytes
    /// @throws IllegalArgumentException if the sizes do not fit
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if the pair is not supported
    void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to, long elements);

    /// Gathers a strided view into consecutive elements, converting on the way where the dtypes differ.
    ///
    /// Sub-byte dtypes are not gathered: the caller slices them on byte boundaries as U8.
    ///
    /// @param source the memory that the view's element indices count in
    /// @param target exactly the view's elements of `to`; does not overlap the source
    /// @throws IllegalArgumentException if an index is outside the source or the target's size does not fit
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if the pair is not supported
    void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target, DType to);

    /// Whether [#dequantize] is there for the pair. A backend without it loses nothing but speed: the host multiplies.
    ///
    /// @param from of the quantised elements: F8_E4M3, F8_E5M2, both FNUZ, F4 or I8
    /// @param to BF16, F16 or F32
    default boolean dequantizes(DType from, DType to) {
        return false;
    }

    /// Multiplies quantised elements by the scales of their blocks. The rule: an element as F32, times its scale, rounded to
    /// F32 (nearest, ties to even, subnormal numbers kept), and that converted to `to` as [#convert] does; but every NaN
    /// becomes the positive quiet NaN without payload.
    ///
    /// @param source whole bytes of consecutive elements of `from`
    /// @param scales F32, aligned to 4 bytes, in the source's buffer
    /// @param grid where each element's scale is; its index 0 is the first of all the tensor's scales
    /// @param firstElement the index in the tensor of the first element of `source`
    /// @param firstScale the index of the first one of `scales` among all scales of the tensor
    /// @param target exactly as many elements of `to`; does not overlap the source's buffer
    /// @throws IllegalArgumentException if sizes do not fit, or a scale is asked for that is not there
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if the pair is not supported
    default void dequantize(CopyStream stream, BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
            long firstElement, long firstScale, BufferSlice target, DType to) {
        throw new UnsupportedFeatureException("no de-quantisation from " + from + " to " + to,
                Where.nowhere());
    }
}
