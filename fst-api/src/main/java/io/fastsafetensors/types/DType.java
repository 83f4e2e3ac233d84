package io.fastsafetensors.types;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/// The 22 element types of the format, in the reference implementation's order (huggingface/safetensors 0.8.0).
///
/// The constant's name is the spelling in the header. Multi-byte elements are little-endian; sub-byte elements are
/// packed from the low bits of each byte upwards.
public enum DType {
    /// One byte, 0 or 1.
    BOOL(8, Kind.BOOL),
    /// 4-bit float E2M1 (OCP MX): no infinity, no NaN.
    F4(4, Kind.FLOAT),
    /// 6-bit float E2M3 (OCP MX): no infinity, no NaN.
    F6_E2M3(6, Kind.FLOAT),
    /// 6-bit float E3M2 (OCP MX): no infinity, no NaN.
    F6_E3M2(6, Kind.FLOAT),
    /// Unsigned byte.
    U8(8, Kind.UNSIGNED),
    /// Signed byte.
    I8(8, Kind.SIGNED),
    /// 8-bit float E5M2 (OCP FP8): infinities and NaN as in IEEE 754.
    F8_E5M2(8, Kind.FLOAT),
    /// 8-bit float E4M3 (OCP FP8, "FN"): no infinity, NaN is S.1111.111.
    F8_E4M3(8, Kind.FLOAT),
    /// 8-bit exponent (OCP MX scale): 2^(bits−127), 0xFF is NaN; no sign, no zero.
    F8_E8M0(8, Kind.FLOAT),
    /// 8-bit float E4M3 with bias 8, no negative zero, no infinity; 0x80 is NaN.
    F8_E4M3FNUZ(8, Kind.FLOAT),
    /// 8-bit float E5M2 with bias 16, no negative zero, no infinity; 0x80 is NaN.
    F8_E5M2FNUZ(8, Kind.FLOAT),
    /// Signed 16-bit integer.
    I16(16, Kind.SIGNED),
    /// Unsigned 16-bit integer.
    U16(16, Kind.UNSIGNED),
    /// IEEE 754 binary16.
    F16(16, Kind.FLOAT),
    /// The upper half of a binary32.
    BF16(16, Kind.FLOAT),
    /// Signed 32-bit integer.
    I32(32, Kind.SIGNED),
    /// Unsigned 32-bit integer.
    U32(32, Kind.UNSIGNED),
    /// IEEE 754 binary32.
    F32(32, Kind.FLOAT),
    /// Complex number of two binary32.
    C64(64, Kind.COMPLEX),
    /// IEEE 754 binary64.
    F64(64, Kind.FLOAT),
    /// Signed 64-bit integer.
    I64(64, Kind.SIGNED),
    /// Unsigned 64-bit integer.
    U64(64, Kind.UNSIGNED);

    /// The meaning of an element's bits.
    public enum Kind {
        /// True or false.
        BOOL,
        /// An unsigned integer.
        UNSIGNED,
        /// A two's-complement integer.
        SIGNED,
        /// A floating-point number.
        FLOAT,
        /// A pair of floating-point numbers.
        COMPLEX
    }

    private static final Map<String, DType> BY_NAME = new HashMap<>();

    private static final Map<String, String> OTHER_NAMES = Map.ofEntries(Map.entry("BFLOAT16", "BF16"),
            Map.entry("HALF", "F16"), Map.entry("FLOAT16", "F16"), Map.entry("FP16", "F16"),
            Map.entry("FLOAT", "F32"), Map.entry("FLOAT32", "F32"), Map.entry("FP32", "F32"),
            Map.entry("DOUBLE", "F64"), Map.entry("FLOAT64", "F64"), Map.entry("FP64", "F64"),
            Map.entry("FP8_E4M3", "F8_E4M3"), Map.entry("FLOAT8_E4M3", "F8_E4M3"),
            Map.entry("FLOAT8_E4M3FN", "F8_E4M3"), Map.entry("F8_E4M3FN", "F8_E4M3"),
            Map.entry("FP8_E5M2", "F8_E5M2"), Map.entry("FLOAT8_E5M2", "F8_E5M2"),
            Map.entry("FLOAT8_E4M3FNUZ", "F8_E4M3FNUZ"), Map.entry("FLOAT8_E5M2FNUZ", "F8_E5M2FNUZ"),
            Map.entry("FLOAT8_E8M0FNU", "F8_E8M0"), Map.entry("FLOAT4_E2M1FN", "F4"),
            Map.entry("FLOAT6_E2M3FN", "F6_E2M3"), Map.entry("FLOAT6_E3M2FN", "F6_E3M2"),
            Map.entry("INT8", "I8"), Map.entry("INT16", "I16"), Map.entry("SHORT", "I16"), Map.entry("INT32", "I32"),
            Map.entry("INT", "I32"), Map.entry("INT64", "I64"), Map.entry("LONG", "I64"), Map.entry("UINT8", "U8"),
            Map.entry("UINT16", "U16"), Map.entry("UINT32", "U32"), Map.entry("UINT64", "U64"),
            Map.entry("COMPLEX64", "C64"));

    static {
        for (DType dtype : values()) {
            BY_NAME.put(dtype.name(), dtype);
        }
    }

    private final int bits;
    private final Kind kind;

    DType(int bits, Kind kind) {
        this.bits = bits;
        this.kind = kind;
    }

    /// The dtype spelled `name` in a header (case matters), if there is one.
    public static Optional<DType> byName(String name) {
        Objects.requireNonNull(name, "name");
        return Optional.ofNullable(BY_NAME.get(name));
    }

    /// The dtype that people mean by `text`: a format's name in any case, or the name that PyTorch, NumPy and ml_dtypes have
    /// for it, such as `bfloat16`, `torch.half`, `float8_e4m3fn`, `uint8`.
    public static Optional<DType> parse(String text) {
        Objects.requireNonNull(text, "text");
        String name = text.replaceFirst("^(torch|np|numpy|jnp|ml_dtypes)\\.", "").toUpperCase(Locale.ROOT);
        return Optional.ofNullable(BY_NAME.get(OTHER_NAMES.getOrDefault(name, name)));
    }

    /// Bits of one element: 4, 6, 8, 16, 32 or 64.
    public int bits() {
        return bits;
    }

    /// What an element means.
    public Kind kind() {
        return kind;
    }

    /// Whether elements are floating-point numbers, F8_E8M0 included, complex ones not.
    public boolean isFloat() {
        return kind == Kind.FLOAT;
    }

    /// Whether elements are smaller than a byte, so that addresses may fall inside one.
    public boolean isSubByte() {
        return bits < 8;
    }

    /// The natural alignment of an element in bytes: 1, 2, 4 or 8 (4 for C64, 1 for sub-byte dtypes).
    public int alignment() {
        return this == C64 ? 4 : Math.max(1, bits / 8);
    }

    /// The bytes that `elements` consecutive elements take.
    ///
    /// @throws ArithmeticException if the bits do not fit a long or do not fill whole bytes
    public long byteSize(long elements) {
        long total = Math.multiplyExact(elements, (long) bits);
        if ((total & 7) != 0) {
            throw new ArithmeticException(elements + " elements of " + this + " do not fill whole bytes");
        }
        return total >>> 3;
    }
}
