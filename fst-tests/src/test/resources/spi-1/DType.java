package io.fastsafetensors.types;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

public enum DType {
    BOOL(8, Kind.BOOL),
    F4(4, Kind.FLOAT),
    F6_E2M3(6, Kind.FLOAT),
    F6_E3M2(6, Kind.FLOAT),
    U8(8, Kind.UNSIGNED),
    I8(8, Kind.SIGNED),
    F8_E5M2(8, Kind.FLOAT),
    F8_E4M3(8, Kind.FLOAT),
    F8_E8M0(8, Kind.FLOAT),
    F8_E4M3FNUZ(8, Kind.FLOAT),
    F8_E5M2FNUZ(8, Kind.FLOAT),
    I16(16, Kind.SIGNED),
    U16(16, Kind.UNSIGNED),
    F16(16, Kind.FLOAT),
    BF16(16, Kind.FLOAT),
    I32(32, Kind.SIGNED),
    U32(32, Kind.UNSIGNED),
    F32(32, Kind.FLOAT),
    C64(64, Kind.COMPLEX),
    F64(64, Kind.FLOAT),
    I64(64, Kind.SIGNED),
    U64(64, Kind.UNSIGNED);

    public enum Kind {
        BOOL,
        UNSIGNED,
        SIGNED,
        FLOAT,
        COMPLEX
    }

    private static final Map<String, DType> BY_NAME = new HashMap<>();

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

    public static Optional<DType> byName(String name) {
        return Optional.ofNullable(BY_NAME.get(name));
    }

    public int bits() {
        return bits;
    }

    public Kind kind() {
        return kind;
    }

    public boolean isFloat() {
        return kind == Kind.FLOAT;
    }

    public boolean isSubByte() {
        return bits < 8;
    }

    public int alignment() {
        return this == C64 ? 4 : Math.max(1, bits / 8);
    }

    public long byteSize(long elements) {
        long total = Math.multiplyExact(elements, (long) bits);
        if ((total & 7) != 0) {
            throw new ArithmeticException(elements + " elements of " + this + " do not fill whole bytes");
        }
        return total >>> 3;
    }
}
