package io.fastsafetensors.core.dequant;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.core.dequant.DequantizedSource.View;
import io.fastsafetensors.core.dequant.QuantizedTensors.Quantized;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.header.QuantizationConfig;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Shows a checkpoint with its quantised tensors as plain ones: each file that has some gets another beside it, of a
/// [DequantizedSource], and scales that are used up are left out.
///
/// Nothing is read or multiplied here: the view is headers, and the bytes are made when blocks of the derived file
/// are read.
public final class Dequantization {
    /// Where a tensor begins: on the strictest alignment that a device asks for.
    private static final long ALIGNMENT = 256;

    private Dequantization() {
    }

    /// The dtypes that quantised tensors can become.
    public static final Set<DType> RESULTS = Set.of(DType.BF16, DType.F16, DType.F32);

    /// The view that a load with these options has of a checkpoint.
    ///
    /// @return the checkpoint itself if nothing is to be de-quantised, or nothing is quantised
    /// @throws FormatException InvalidQuantization if a tensor's scales are missing or do not fit it
    /// @throws UnsupportedFeatureException if a scheme is not known, or a digest would have to be checked
    public static ParsedCheckpoint view(ParsedCheckpoint checkpoint, LoadOptions options) {
        if (options.dequantize().isEmpty()) {
            return checkpoint;
        }
        DType asked = options.dtype().filter(RESULTS::contains).orElse(options.dequantize().get());
        QuantizedTensors tensors = QuantizedTensors.of(checkpoint, config(checkpoint), options.keep());
        return tensors.byValues().isEmpty() ? checkpoint : view(checkpoint, tensors, asked, options);
    }

    private static Optional<QuantizationConfig> config(ParsedCheckpoint checkpoint) {
        return checkpoint.files().isEmpty() ? Optional.empty()
                : QuantizationConfig.beside(checkpoint.files().getFirst(), checkpoint.sources());
    }

    /// The tensors that are recognised, by the name of the one that has the elements, with their schemes.
    public static Map<String, String> recognised(ParsedCheckpoint checkpoint) {
        Map<String, String> schemes = new LinkedHashMap<>();
        QuantizedTensors.tolerant(checkpoint).byValues().forEach((name, tensor) -> schemes.put(name, tensor.scheme()));
        return schemes;
    }

    /// A derived file for each file that has elements; its scales may be in another one.
    private static ParsedCheckpoint view(ParsedCheckpoint checkpoint, QuantizedTensors tensors, DType dtype,
            LoadOptions options) {
        List<FileHeader> plain = new ArrayList<>();
        List<FileHeader> derived = new ArrayList<>();
        Map<String, Quantized> quantized = tensors.byValues();
        for (FileHeader header : checkpoint.headers()) {
            List<TensorInfo> rest = new ArrayList<>();
            List<View> views = new ArrayList<>();
            long end = 0;
            for (TensorInfo tensor : header.tensors()) {
                Quantized known = quantized.get(tensor.name());
                if (known != null) {
                    requireNoDigest(header, tensor, options);
                    long offset = Math.ceilDiv(end, ALIGNMENT) * ALIGNMENT;
                    views.add(new View(offset, known, checkpoint.overflows().of(known.name())));
                    end = offset + dtype.byteSize(known.elements());
                } else if (!tensors.scales().contains(tensor.name())) {
                    rest.add(tensor);
                }
            }
            plain.add(header.withTensors(rest));
            if (!views.isEmpty()) {
                derived.add(derived(checkpoint, header, views, dtype));
            }
        }
        plain.addAll(derived);
        return checkpoint.withHeaders(plain);
    }

    /// The header of the file that is made of a file's quantised tensors. It begins with their data: there are no bytes of
    /// a header.
    private static FileHeader derived(ParsedCheckpoint checkpoint, FileHeader header, List<View> views, DType dtype) {
        DequantizedSource source = new DequantizedSource(views, dtype);
        Location location = checkpoint.sources().derive(source,
                header.location().parent().orElse(header.location()), header.location().name());
        List<TensorInfo> infos = views.stream().map(view -> new TensorInfo(view.tensor().name(), dtype,
                view.tensor().shape(), location, view.offset(), dtype.byteSize(view.tensor().elements()))).toList();
        return new FileHeader(location, source.length(), 0, infos, Map.of());
    }

    /// The bytes that a digest is of are in no memory when a load is over, and blocks of a derived file are not theirs.
    private static void requireNoDigest(FileHeader header, TensorInfo tensor, LoadOptions options) {
        if ((options.checkDigests() && header.metadata().containsKey(WriteOptions.DIGEST_KEY + tensor.name()))
                || options.digests().tensors().containsKey(tensor.name())) {
            throw new UnsupportedFeatureException("cannot check the digest of a tensor that is de-quantised on its way;"
                    + " verify the checkpoint before", header.location().where().withTensor(tensor.name()));
        }
    }
}
