package io.fastsafetensors.types;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.Strided;
import java.util.Locale;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class VocabularyTest {
    @Test
    void there_are_22_dtypes_with_the_formats_names_and_widths() {
        assertEquals(22, DType.values().length);
        assertEquals(DType.F8_E4M3FNUZ, DType.byName("F8_E4M3FNUZ").orElseThrow());
        assertTrue(DType.byName("f32").isEmpty());
        long bits = 0;
        for (DType dtype : DType.values()) {
            bits += dtype.bits();
        }
        assertEquals(8 + 4 + 6 + 6 + 7 * 8 + 4 * 16 + 3 * 32 + 4 * 64, bits);
    }

    @Test
    void byte_sizes_are_exact_or_refused() {
        assertEquals(3, DType.F6_E2M3.byteSize(4));
        assertEquals(8L << 40, DType.F64.byteSize(1L << 40));
        assertThrows(ArithmeticException.class, () -> DType.F4.byteSize(3));
        assertThrows(ArithmeticException.class, () -> DType.F64.byteSize(1L << 60));
    }

    @Test
    void shapes_are_values() {
        long[] dims = {2, 3};
        Shape shape = Shape.of(dims);
        dims[0] = 9;
        shape.toArray()[1] = 9;
        assertEquals(Shape.of(2, 3), shape);
        assertNotEquals(Shape.of(3, 2), shape);
        assertEquals("[2,3]", shape.toString());
        assertEquals("[]", Shape.of().toString());
        assertEquals(1, Shape.of().elements());
        assertEquals(Shape.of(2, 7), shape.withDim(1, 7));
        assertThrows(IllegalArgumentException.class, () -> Shape.of(-1));
        assertThrows(ArithmeticException.class, () -> Shape.of(1L << 40, 1L << 40).elements());
    }

    @Test
    void devices_are_read_as_they_are_written() {
        for (String text : new String[] {"cpu", "cuda:0", "rocm:3", "opencl:1", "gpu:2", "auto"}) {
            assertEquals(text, Device.parse(text).toString());
        }
        assertEquals(new Device("cuda", 0), Device.parse("cuda"));
        for (String text : new String[] {"", "cuda:", "cuda:x", "cuda:-1", ":1", "a b"}) {
            assertThrows(IllegalArgumentException.class, () -> Device.parse(text), text);
        }
    }

    @Test
    void strided_views_know_their_reach() {
        Strided view = new Strided(Shape.of(3, 2), 10, new long[] {-4, 1});
        assertEquals(2, view.lowest());
        assertEquals(11, view.highest());
        view.strides()[0] = 5;
        assertArrayEquals(new long[] {-4, 1}, view.strides());
        assertThrows(IllegalArgumentException.class, () -> new Strided(Shape.of(3), 0, new long[] {1, 1}));
    }

    @Test
    void handles_move_by_bytes() {
        assertEquals(DeviceHandle.pointer(140), DeviceHandle.pointer(100).plus(40));
        DeviceHandle object = new DeviceHandle(DeviceHandle.Kind.CL_MEM, 7, 8);
        assertEquals(new DeviceHandle(DeviceHandle.Kind.CL_MEM, 7, 48), object.plus(40));
    }

    @Test
    void dtypes_have_the_names_of_other_frameworks_too() {
        for (DType dtype : DType.values()) {
            assertEquals(Optional.of(dtype), DType.parse(dtype.name()));
            assertEquals(Optional.of(dtype), DType.parse(dtype.name().toLowerCase(Locale.ROOT)));
        }
        assertEquals(Optional.of(DType.BF16), DType.parse("bfloat16"));
        assertEquals(Optional.of(DType.BF16), DType.parse("torch.bfloat16"));
        assertEquals(Optional.empty(), DType.parse("tensor.bfloat16"));
        assertEquals(Optional.of(DType.F16), DType.parse("half"));
        assertEquals(Optional.of(DType.F16), DType.parse("float16"));
        assertEquals(Optional.of(DType.F8_E4M3), DType.parse("fp8_e4m3"));
        assertEquals(Optional.of(DType.F8_E5M2), DType.parse("float8_e5m2"));
        assertEquals(Optional.of(DType.U8), DType.parse("uint8"));
        assertEquals(Optional.empty(), DType.parse("F17"));
        assertEquals(Optional.empty(), DType.byName("bfloat16"), "a header has the format's names only");
    }
}
