package io.fastsafetensors.core.header;

import io.fastsafetensors.core.header.EntryParser.RawTensor;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// Makes the reference implementation's checks of ranges and shapes, in its order, on unsigned 64-bit numbers. The order is
/// part of the verdict: of several faults the same one is told that the reference tells.
///
/// 64-bit products are computed unsigned with their overflow, so a shape whose product wraps around to the right
/// number is refused too.
final class RangeCheck {
    private static final Comparator<RawTensor> BY_RANGE = (a, b) -> {
        int order = Long.compareUnsigned(a.begin(), b.begin());
        return order != 0 ? order : Long.compareUnsigned(a.end(), b.end());
    };

    private final Location file;
    private final long dataStart;
    private final long dataLength;

    /// For a file whose data section begins at `dataStart` and has `dataLength` bytes.
    RangeCheck(Location file, long dataStart, long dataLength) {
        this.file = file;
        this.dataStart = dataStart;
        this.dataLength = dataLength;
    }

    /// The tensors by range, if they fill the data section; sorts the given list. Two passes:
    /// what Java cannot count is refused only where every tensor passes the checks of the reference.
    ///
    /// @param lenient whether bytes may follow the last tensor
    /// @return by offset, which is how every later stage wants them
    /// @throws FormatException of the first tensor by range that is wrong
    List<TensorInfo> check(List<RawTensor> tensors, boolean lenient) {
        tensors.sort(BY_RANGE);
        long end = 0;
        for (RawTensor tensor : tensors) {
            checkTensor(tensor, end);
            end = tensor.end();
        }
        checkEnd(end, lenient);
        List<TensorInfo> checked = new ArrayList<>(tensors.size());
        for (RawTensor tensor : tensors) {
            checked.add(supported(tensor));
        }
        return checked;
    }

    /// Checks one tensor against the end of the one before it; what it says can be relied on from then on.
    private void checkTensor(RawTensor tensor, long previousEnd) {
        long begin = tensor.begin();
        long end = tensor.end();
        if (begin != previousEnd || Long.compareUnsigned(end, begin) < 0) {
            throw error(FormatError.INVALID_OFFSET, tensor, "data_offsets " + text(begin, end) + " where "
                    + Long.toUnsignedString(previousEnd) + " is next: tensors must fill the data without holes and"
                    + " overlaps");
        }
        long count = 1;
        for (int i = 0; i < tensor.shape().rank(); i++) {
            count = multiply(tensor, count, tensor.shape().dim(i));
        }
        long bits = multiply(tensor, count, tensor.dtype().bits());
        if ((bits & 7) != 0) {
            throw error(FormatError.MISALIGNED_SLICE, tensor,
                    Long.toUnsignedString(bits) + " bits do not fill whole bytes");
        }
        if (end - begin != bits >>> 3) {
            throw error(FormatError.TENSOR_INVALID_INFO, tensor, tensor.dtype() + " " + tensor.shape() + " takes "
                    + (bits >>> 3) + " bytes, data_offsets " + text(begin, end) + " say otherwise");
        }
    }

    /// Unsigned, as the reference multiplies: what overflows 64 bits is an error even where a later dimension is 0.
    private long multiply(RawTensor tensor, long a, long b) {
        if (Math.unsignedMultiplyHigh(a, b) != 0) {
            throw error(FormatError.VALIDATION_OVERFLOW, tensor,
                    tensor.dtype() + " " + tensor.shape() + " does not fit 64 bits");
        }
        return a * b;
    }

    /// The last tensor ends where the file does. Too short is a cut download whatever the options; too long may be
    /// meant.
    private void checkEnd(long end, boolean lenient) {
        int order = Long.compareUnsigned(end, dataLength);
        if (order > 0) {
            throw new FormatException(FormatError.METADATA_INCOMPLETE_BUFFER, "the tensors take "
                    + Long.toUnsignedString(end) + " bytes, the file has " + dataLength
                    + ": it is cut off; download or copy it again",
                    file.where().withOffset(dataStart + dataLength));
        }
        if (order < 0 && !lenient) {
            throw new FormatException(FormatError.METADATA_INCOMPLETE_BUFFER, (dataLength - end)
                    + " bytes follow the last tensor; the lenient option accepts them",
                    file.where().withOffset(dataStart + end));
        }
    }

    /// Valid, and yet nothing that a Java long can count: a dimension, or dimensions before the one that is zero.
    private TensorInfo supported(RawTensor tensor) {
        long count = 1;
        for (int i = 0; i < tensor.shape().rank(); i++) {
            long dim = tensor.shape().dim(i);
            if (dim < 0 || Math.multiplyHigh(count, dim) != 0 || count * dim < 0) {
                throw error(FormatError.UNSUPPORTED_SHAPE, tensor,
                        "the empty tensor " + tensor.shape() + " has dimensions of 2^63 elements and more");
            }
            count *= dim;
        }
        return new TensorInfo(tensor.name(), tensor.dtype(), tensor.shape().toShape(), file,
                dataStart + tensor.begin(), tensor.end() - tensor.begin());
    }

    private FormatException error(FormatError error, RawTensor tensor, String detail) {
        return new FormatException(error, detail, file.where().withTensor(tensor.name()));
    }

    /// Both as the header spells them, unsigned.
    private static String text(long begin, long end) {
        return "[" + Long.toUnsignedString(begin) + "," + Long.toUnsignedString(end) + "]";
    }
}
