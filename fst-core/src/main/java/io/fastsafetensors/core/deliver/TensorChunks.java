package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.plan.PlanSettings;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/// A checkpoint as if each large tensor were several small ones, so that it can be loaded a piece at a time. Pieces keep
/// the order of the tensors and of their bytes. Empty tensors have none.
final class TensorChunks {
    /// Elements that make whole bytes in every dtype, before and after a conversion.
    private static final long FEWEST = 8;
    /// Elements that make whole pages in every dtype, so that pieces can be read directly.
    private static final long WHOLE_PAGES = 32_768;

    private final ParsedCheckpoint checkpoint;
    private final Map<String, TensorInfo> origins = new HashMap<>();

    /// @param source the checkpoint
    /// @param wanted which tensors
    /// @param settings tells what each tensor is converted to
    /// @param pieceBytes about how many bytes a piece has at most, before and after a conversion
    TensorChunks(ParsedCheckpoint source, Selection wanted, PlanSettings settings, long pieceBytes) {
        Set<String> names = new HashSet<>(source.names());
        List<FileHeader> headers = new ArrayList<>();
        for (FileHeader header : source.headers()) {
            List<TensorInfo> pieces = new ArrayList<>();
            for (TensorInfo tensor : header.tensors()) {
                if (tensor.byteSize() > 0 && wanted.test(tensor)) {
                    DType target = settings.target(tensor);
                    cut(tensor, elements(pieceBytes, Math.max(target.bits(), tensor.dtype().bits())), names, pieces);
                }
            }
            headers.add(new FileHeader(header.location(), header.fileLength(), header.dataStart(), pieces, Map.of()));
        }
        this.checkpoint =
                new ParsedCheckpoint(source.location(), headers, source.sources()).withDigests(source.digests());
    }

    private static long elements(long bytes, int bits) {
        long most = bytes * 8 / bits;
        long unit = most >= WHOLE_PAGES ? WHOLE_PAGES : FEWEST;
        return Math.max(unit, most / unit * unit);
    }

    private void cut(TensorInfo tensor, long most, Set<String> names, List<TensorInfo> pieces) {
        long elements = tensor.shape().elements();
        if (elements <= most) {
            pieces.add(tensor);
            origins.put(tensor.name(), tensor);
            return;
        }
        for (long from = 0; from < elements; from += most) {
            long count = Math.min(most, elements - from);
            String name = tensor.name() + "[" + from + ":" + (from + count) + "]";
            while (!names.add(name)) {
                name += "'";
            }
            pieces.add(new TensorInfo(name, tensor.dtype(), Shape.of(count), tensor.file(),
                    tensor.fileOffset() + tensor.dtype().byteSize(from), tensor.dtype().byteSize(count)));
            origins.put(name, tensor);
        }
    }

    /// The pieces as tensors.
    ParsedCheckpoint checkpoint() {
        return checkpoint;
    }

    /// The tensor that a piece is of.
    TensorInfo origin(String piece) {
        return Objects.requireNonNull(origins.get(piece), piece);
    }
}
