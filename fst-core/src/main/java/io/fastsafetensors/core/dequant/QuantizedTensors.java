package io.fastsafetensors.core.dequant;

import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.header.QuantizationConfig;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Recognises quantised tensors by names, dtypes and shapes, and by `quantization_config` where there is one:
///
/// * FP8 and INT8 elements with scales of blocks, rows or the whole tensor: `X_scale_inv`, `X_scale`, and for `P.weight`
///   also `P.scale`
/// * MXFP4: `X_blocks` (or `X.blocks`), 16 bytes to a block, with `X_scales`
/// * NVFP4: `X` with `X_scale` and `X_scale_2`, or `X_packed` with `X_scale` and `X_global_scale`
///
/// What looks quantised and is not one of these is an error that says what was expected.
///
/// Packed formats are looked for first, since their scales of F8_E4M3 would look like quantised tensors without a
/// scale. A tensor that is used as a scale is no tensor of the view.
final class QuantizedTensors {
    private static final Set<DType> EIGHT_BITS = Set.of(DType.F8_E4M3, DType.F8_E5M2, DType.F8_E4M3FNUZ,
            DType.F8_E5M2FNUZ);
    private static final Set<DType> FLOAT_SCALES = Set.of(DType.F32, DType.BF16, DType.F16, DType.F8_E8M0);
    /// What several elements are packed into.
    private static final Set<DType> PACKED = Set.of(DType.U8, DType.F4, DType.I32);
    /// Bytes of a block of MXFP4, with two elements in each.
    private static final long MX_BYTES = 16;
    private static final long MX_BLOCK = 32;
    private static final long NV_BLOCK = 16;
    /// Sizes of blocks, the most usual first: the shape of scales says how many blocks there are, which several sizes may
    /// explain.
    private static final long[] USUAL_BLOCKS = {128, 32, 64, 16, 256, 512, 1024, 8, 4, 2};
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");
    private static final String WEIGHT = ".weight";

    private final ParsedCheckpoint checkpoint;
    private final Optional<QuantizationConfig> config;
    /// By the name of the tensor that has the elements.
    private final Map<String, Quantized> found = new LinkedHashMap<>();
    /// Scales and factors of those, by name.
    private final Map<String, TensorInfo> consumed = new LinkedHashMap<>();

    private QuantizedTensors(ParsedCheckpoint checkpoint, Optional<QuantizationConfig> config) {
        this.checkpoint = checkpoint;
        this.config = config;
    }

    /// Looks at all tensors.
    ///
    /// @param keep tensors that stay as they are
    /// @throws FormatException InvalidQuantization if a tensor's scales are missing or of another shape
    /// @throws UnsupportedFeatureException if a tensor is quantised by a scheme that is not known
    static QuantizedTensors of(ParsedCheckpoint checkpoint, Optional<QuantizationConfig> config, Selection keep) {
        QuantizedTensors all = new QuantizedTensors(checkpoint, config);
        for (TensorInfo tensor : checkpoint.tensors()) {
            if (!keep.test(tensor)) {
                all.lookAtPacked(tensor);
            }
        }
        for (TensorInfo tensor : checkpoint.tensors()) {
            if (!keep.test(tensor) && !all.consumed.containsKey(tensor.name())) {
                all.lookAtBytes(tensor);
            }
        }
        return all;
    }

    /// Those that are recognised, of a checkpoint that is not to be de-quantised: what is not right is none.
    static QuantizedTensors tolerant(ParsedCheckpoint checkpoint) {
        QuantizedTensors all = new QuantizedTensors(checkpoint, Optional.empty());
        checkpoint.tensors().forEach(tensor -> tryTo(() -> all.lookAtPacked(tensor)));
        checkpoint.tensors().stream().filter(tensor -> !all.consumed.containsKey(tensor.name()))
                .forEach(tensor -> tryTo(() -> all.lookAtBytes(tensor)));
        return all;
    }

    private static void tryTo(Runnable look) {
        try {
            look.run();
        } catch (FormatException | UnsupportedFeatureException e) {
            LOG.log(Level.TRACE, "no known quantisation", e);
        }
    }

    /// The quantised tensors by the name of the one that has the elements.
    Map<String, Quantized> byValues() {
        return found;
    }

    /// Scales and factors, which are nothing by themselves when their tensors are de-quantised.
    Set<String> scales() {
        return consumed.keySet();
    }

    /// Null if the checkpoint has no tensor of that name.
    private @Nullable TensorInfo find(String name) {
        return checkpoint.number(name) < 0 ? null : checkpoint.info(name);
    }

    /// @return the name without the first suffix that it ends with; null if it ends with none
    private static @Nullable String without(String name, String... suffixes) {
        for (String suffix : suffixes) {
            if (name.endsWith(suffix) && name.length() > suffix.length()) {
                return name.substring(0, name.length() - suffix.length());
            }
        }
        return null;
    }

    /// @throws FormatException InvalidQuantization if its plain name is another tensor's
    private void add(Quantized tensor) {
        found.put(tensor.values().name(), tensor);
        consumed.put(tensor.scales().name(), tensor.scales());
        tensor.factor().ifPresent(factor -> consumed.put(factor.name(), factor));
        TensorInfo other = find(tensor.name());
        if (other != null && !other.equals(tensor.values())) {
            throw invalid(tensor.values(), "it de-quantises to \"" + Printable.escape(tensor.name())
                    + "\", and there is a tensor of that name");
        }
    }

    /// Four bits to an element.
    private void lookAtPacked(TensorInfo tensor) {
        if (!PACKED.contains(tensor.dtype())) {
            return;
        }
        String name = tensor.name();
        String mx = without(name, "_blocks", ".blocks");
        if (mx != null && tensor.dtype() == DType.U8 && lastDim(tensor) == MX_BYTES && tensor.shape().rank() >= 2) {
            addMxfp4(tensor, mx, mx + name.charAt(mx.length()) + "scales");
            return;
        }
        String packed = without(name, "_packed");
        if (packed != null && tensor.dtype() == DType.U8 && find(packed + "_global_scale") != null) {
            addNvfp4(tensor, packed, packed + "_scale", packed + "_global_scale", true);
        } else if ((tensor.dtype() == DType.U8 || tensor.dtype() == DType.F4) && find(name + "_scale_2") != null) {
            addNvfp4(tensor, name, name + "_scale", name + "_scale_2", false);
        } else if (name.endsWith(".qweight") && tensor.dtype() == DType.I32) {
            throw new UnsupportedFeatureException(
                    "integers packed by GPTQ or AWQ are not de-quantised; load them as they"
                            + " are (keep)",
                    tensor.file().where().withTensor(name));
        }
    }

    /// @param name what the plain tensor is called
    private void addMxfp4(TensorInfo blocks, String name, String scalesName) {
        TensorInfo scales = required(blocks, scalesName, "U8 or F8_E8M0");
        long[] dims = blocks.shape().toArray();
        long[] expected = Arrays.copyOf(dims, dims.length - 1);
        requireShape(blocks, scales, expected, scales.dtype() == DType.U8 || scales.dtype() == DType.F8_E8M0);
        long[] shape = Arrays.copyOf(dims, dims.length - 1);
        shape[shape.length - 1] *= MX_BLOCK;
        if (blocks.byteSize() > 0) {
            add(new Quantized(name, Shape.of(shape), blocks, DType.F4, scales, DType.F8_E8M0,
                    ScaleGrid.ofRuns(shape[shape.length - 1], MX_BLOCK), Optional.empty(), false));
        }
    }

    /// @param divides whether scales are divided by the factor, as compressed-tensors has it
    private void addNvfp4(TensorInfo values, String name, String scalesName, String factorName, boolean divides) {
        TensorInfo scales = required(values, scalesName, "F8_E4M3");
        TensorInfo factor = required(values, factorName, "F32");
        long[] shape = values.shape().toArray();
        if (shape.length == 0) {
            throw invalid(values, "a packed tensor without a dimension");
        }
        if (values.dtype() == DType.U8) {
            shape[shape.length - 1] *= 2;
        }
        long[] expected = shape.clone();
        expected[shape.length - 1] = Math.ceilDiv(shape[shape.length - 1], NV_BLOCK);
        requireShape(values, scales, expected, scales.dtype() == DType.F8_E4M3);
        long factors = factor.shape().elements();
        if (factor.dtype() != DType.F32 || (factors != 1 && (shape.length < 3 || factors != shape[0]))) {
            throw invalid(values, "its factor \"" + Printable.escape(factorName) + "\" is " + factor.dtype() + " "
                    + factor.shape() + "; expected one F32" + (shape.length < 3 ? "" : ", or " + shape[0]));
        }
        if (values.byteSize() > 0) {
            add(new Quantized(name, Shape.of(shape), values, DType.F4, scales, DType.F8_E4M3,
                    ScaleGrid.ofRuns(shape[shape.length - 1], Math.min(NV_BLOCK, shape[shape.length - 1])),
                    Optional.of(factor), divides));
        }
    }

    /// A byte to an element.
    private void lookAtBytes(TensorInfo tensor) {
        boolean float8 = EIGHT_BITS.contains(tensor.dtype());
        if ((!float8 && tensor.dtype() != DType.I8) || tensor.byteSize() == 0) {
            return;
        }
        List<String> names = new ArrayList<>(List.of(tensor.name() + "_scale_inv", tensor.name() + "_scale"));
        String base = without(tensor.name(), WEIGHT);
        if (base != null) {
            names.add(base + ".scale");
        }
        TensorInfo scales = null;
        for (int i = 0; scales == null && i < names.size(); i++) {
            scales = find(names.get(i));
        }
        if (scales == null) {
            if (float8) {
                throw invalid(tensor, "it is " + tensor.dtype() + " and has no scale: expected \""
                        + String.join("\" or \"", names.stream().map(Printable::escape).toList())
                        + "\"; leave it as it is (keep) if its values need none");
            }
            return;
        }
        addBytes(tensor, scales);
    }

    /// Elements of a byte each, whatever blocks their scales stand for.
    private void addBytes(TensorInfo values, TensorInfo scales) {
        // MXFP8 keeps its powers of two in plain bytes.
        DType scale = scales.dtype() == DType.U8 ? DType.F8_E8M0 : scales.dtype();
        if (!FLOAT_SCALES.contains(scale)) {
            throw invalid(values, "its scales \"" + Printable.escape(scales.name()) + "\" are " + scales.dtype()
                    + "; expected F32, BF16, F16, F8_E8M0 or U8");
        }
        add(new Quantized(values.name(), values.shape(), values, values.dtype(), scales, scale, grid(values, scales),
                Optional.empty(), false));
    }

    /// The blocks by the shapes: in each dimension as many as the scales have.
    private ScaleGrid grid(TensorInfo values, TensorInfo scales) {
        Shape shape = values.shape();
        int rank = shape.rank();
        if (scales.shape().elements() == 1) {
            return ScaleGrid.single();
        }
        long[] blocks = blocks(values, scales);
        long columns = shape.dim(rank - 1);
        long blockColumns = blocks[rank - 1];
        if (rank == 1) {
            return ScaleGrid.ofRuns(columns, blockColumns);
        }
        long rows = shape.dim(rank - 2);
        long rowStride = Math.ceilDiv(columns, blockColumns);
        boolean shared = rank > 2;
        boolean single = true;
        for (int d = 0; d < rank - 2; d++) {
            shared &= blocks[d] == shape.dim(d);
            single &= blocks[d] == 1;
        }
        if (!shared && !single) {
            throw invalid(values, "its scales " + scales.shape() + " divide the dimensions before the last two of "
                    + shape + " into blocks of several matrices");
        }
        long blockRows = blocks[rank - 2];
        return new ScaleGrid(columns, rows, blockRows, blockColumns, rowStride,
                single ? rowStride * Math.ceilDiv(rows, blockRows) : 0);
    }

    /// The size of the blocks in each dimension.
    ///
    /// @throws FormatException InvalidQuantization if the scales are no grid of blocks
    private long[] blocks(TensorInfo values, TensorInfo scales) {
        Shape shape = values.shape();
        int rank = shape.rank();
        long[] counts = scales.shape().toArray();
        if (counts.length < rank && counts.length == 1 && counts[0] == shape.dim(0)) {
            counts = Arrays.copyOf(counts, rank);
            Arrays.fill(counts, 1, rank, 1);
        }
        long[] blocks = new long[rank];
        boolean fits = counts.length == rank;
        for (int d = 0; d < rank && fits; d++) {
            blocks[d] = block(shape.dim(d), counts[d], configured(d - (rank - 2)));
            fits = blocks[d] > 0;
        }
        if (!fits) {
            throw invalid(values, "its scales \"" + Printable.escape(scales.name()) + "\" have the shape "
                    + scales.shape() + ", which is no grid of blocks of " + shape + "; expected "
                    + config.flatMap(QuantizationConfig::blockSize).map(size -> "one for each block of " + size.rows()
                            + " × " + size.columns() + ", as config.json says, ").orElse("")
                    + "one for each 128 × 128, for each row, or for the whole tensor");
        }
        return blocks;
    }

    /// The block size that config.json has for one of the last two dimensions; 0 if it has none.
    private long configured(int dim) {
        return config.flatMap(QuantizationConfig::blockSize).map(size -> switch (dim) {
            case 0 -> size.rows();
            case 1 -> size.columns();
            default -> 0L;
        }).orElse(0L);
    }

    /// The size of the blocks that a dimension has so many of; 0 if there is none.
    ///
    /// Where several usual sizes give the same number of blocks, the most usual one is meant; `config.json` decides
    /// where it says so.
    private static long block(long dim, long count, long configured) {
        if (configured > 0 && Math.ceilDiv(dim, configured) == count) {
            return Math.min(configured, dim);
        }
        if (count == dim) {
            return 1;
        }
        if (count == 1) {
            return dim;
        }
        for (int i = 0; configured == 0 && i < USUAL_BLOCKS.length; i++) {
            if (USUAL_BLOCKS[i] <= dim && Math.ceilDiv(dim, USUAL_BLOCKS[i]) == count) {
                return USUAL_BLOCKS[i];
            }
        }
        return 0;
    }

    private static long lastDim(TensorInfo tensor) {
        return tensor.shape().rank() == 0 ? 0 : tensor.shape().dim(tensor.shape().rank() - 1);
    }

    /// @param what its dtypes, for the message
    private TensorInfo required(TensorInfo values, String name, String what) {
        TensorInfo partner = find(name);
        if (partner == null) {
            throw invalid(values, "it is quantised and its scales are missing: expected \"" + Printable.escape(name)
                    + "\" of " + what);
        }
        return partner;
    }

    private static void requireShape(TensorInfo values, TensorInfo scales, long[] expected, boolean dtypeFits) {
        if (!dtypeFits || !scales.shape().equals(Shape.of(expected))) {
            throw invalid(values, "its scales \"" + Printable.escape(scales.name()) + "\" are " + scales.dtype() + " "
                    + scales.shape() + "; expected the shape " + Shape.of(expected)
                    + (dtypeFits ? "" : " and another dtype"));
        }
    }

    private static FormatException invalid(TensorInfo tensor, String detail) {
        return new FormatException(FormatError.INVALID_QUANTIZATION, detail,
                tensor.file().where().withTensor(tensor.name()));
    }

    /// A quantised tensor and what its elements are multiplied by. Immutable.
    ///
    /// The formats: FP8 with block scales as DeepSeek writes it, OCP Microscaling (MXFP4: 32 elements and a power of
    /// two), NVIDIA's NVFP4 (16 elements, a scale of F8_E4M3, and a factor of F32).
    ///
    /// @param name what the de-quantised tensor is called
    /// @param shape its dimensions
    /// @param values the tensor that has the elements
    /// @param element what the elements are: the tensor's dtype, or what is packed in its bytes
    /// @param scales one for each block
    /// @param scale what the scales are: the tensor's dtype, or what its bytes stand for
    /// @param grid which scale is whose
    /// @param factor one more factor of the scales, of one number or one for each matrix
    /// @param divides whether scales are divided by it rather than multiplied
    record Quantized(String name, Shape shape, TensorInfo values, DType element, TensorInfo scales, DType scale,
            ScaleGrid grid, Optional<TensorInfo> factor, boolean divides) {
        /// Elements of the values.
        long elements() {
            return shape.elements();
        }

        /// The scales of one matrix, where each has a factor of its own.
        long scalesPerFactor() {
            return factor.isEmpty() || factor.get().shape().elements() == 1 ? Long.MAX_VALUE
                    : Math.max(1, scales.shape().elements() / factor.get().shape().elements());
        }

        /// The scheme in a few words.
        String scheme() {
            if (element == DType.F4) {
                return factor.isPresent() ? "NVFP4" : "MXFP4";
            }
            return element + " with " + (scales.shape().elements() == 1 ? "one scale" : "scales of blocks of "
                    + grid.blockRows() + " × " + grid.blockColumns());
        }
    }
}
