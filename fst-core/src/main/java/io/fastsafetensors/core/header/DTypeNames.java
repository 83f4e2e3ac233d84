package io.fastsafetensors.core.header;

import io.fastsafetensors.types.DType;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Finds dtypes in a character buffer, without making strings of them.
final class DTypeNames {
    private static final DType[] DTYPES = DType.values();
    private static final char[][] NAMES = Arrays.stream(DTYPES).map(dtype -> dtype.name().toCharArray())
            .toArray(char[][]::new);

    private DTypeNames() {
    }

    /// The dtype spelled so, null if there is none.
    static @Nullable DType find(char[] text, int offset, int length) {
        for (int i = 0; i < NAMES.length; i++) {
            if (Arrays.equals(NAMES[i], 0, NAMES[i].length, text, offset, offset + length)) {
                return DTYPES[i];
            }
        }
        return null;
    }
}
