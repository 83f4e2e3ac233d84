package io.fastsafetensors.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class OptionsTest {
    private static TensorInfo named(String name) {
        return new TensorInfo(name, DType.F32, Shape.of(1), Location.of("x"), 8, 4);
    }

    @Test
    void globs_know_stars_classes_and_alternatives_and_take_dots_literally() {
        Selection glob = Selection.glob("model.layers.[0-3].*", "*.{bias,scale}", "a?c");
        for (String yes : new String[] {"model.layers.2.x", "q.bias", "w.scale", "abc", "model.layers.3."}) {
            assertTrue(glob.test(named(yes)), yes);
        }
        for (String no : new String[] {"model.layers.4.x", "modelXlayers.2.x", "qbias", "ac", "lm_head"}) {
            assertFalse(glob.test(named(no)), no);
        }
        assertTrue(Selection.glob("[!a]*").test(named("b")));
        assertTrue(Selection.glob("a(b)+").test(named("a(b)+")));
        assertThrows(IllegalArgumentException.class, () -> Selection.glob("a[b"));
        assertThrows(IllegalArgumentException.class, () -> Selection.glob("{a,b"));
    }

    @Test
    void selections_combine() {
        Selection selection = Selection.regex("a.*").and(Selection.names("ab", "ac").negate()).or(Selection.names("z"));
        assertTrue(selection.test(named("ad")));
        assertFalse(selection.test(named("ab")));
        assertTrue(selection.test(named("z")));
    }

    @Test
    void experts_go_to_their_rank_and_everything_else_to_everybody() {
        Selection second = Selection.experts(8, 1, 3);
        assertTrue(second.test(named("model.layers.0.experts.3.w1")));
        assertTrue(second.test(named("model.layers.0.experts.5.w1")));
        assertFalse(second.test(named("model.layers.0.experts.2.w1")));
        assertFalse(second.test(named("model.layers.0.experts.6.w1")));
        assertTrue(second.test(named("model.norm")));
    }

    @Test
    void the_builder_refuses_what_makes_no_sense() {
        LoaderBuilder builder = Loader.builder();
        assertThrows(IllegalArgumentException.class, () -> builder.alignment(3));
        assertThrows(IllegalArgumentException.class, () -> builder.readers(-1));
        assertThrows(IllegalArgumentException.class, () -> builder.blockBytes(-1));
        assertThrows(IllegalArgumentException.class, () -> builder.deviceBudget(0));
        assertThrows(IllegalArgumentException.class, () -> builder.hostBudget(-5));
        assertThrows(IllegalArgumentException.class, () -> builder.device("no device"));
        assertThrows(IllegalArgumentException.class,
                () -> OpenOptions.defaults().withMaxHeaderBytes(OpenOptions.FORMAT_HEADER_CAP + 1));
        assertThrows(IllegalArgumentException.class, () -> new StreamOptions(-2, true));
        assertThrows(IllegalArgumentException.class, () -> new WriteOptions(Map.of(), 12, 1, false));
    }

    @Test
    void options_are_what_was_set_and_do_not_change_with_the_builder() {
        LoaderBuilder builder = Loader.builder().device("cuda:1").backend("b").backendProperty("k", "v")
                .dtype(DType.BF16).readers(3);
        LoadOptions options = builder.options();
        builder.device("cpu").backendProperty("k", "w");
        assertEquals(new Device("cuda", 1), options.device());
        assertEquals(Map.of("k", "v"), options.backendProperties());
        assertEquals(DType.BF16, options.dtype().orElseThrow());
        assertEquals(Device.CPU, LoadOptions.defaults().device());
    }

    @Test
    void without_core_the_way_out_is_named() {
        LoaderBuilder builder = Loader.builder();
        UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class, builder::build);
        assertTrue(e.getMessage().contains("add fst-core"), e.getMessage());
    }

    private static LoadOptions with(long alignment, int readers, int blockBytes, long deviceBudget, long hostBudget) {
        LoadOptions o = LoadOptions.defaults();
        return new LoadOptions(o.device(), o.backend(), o.backendProperties(), o.strictBackend(), o.dtype(),
                o.dequantize(), o.keep(), o.countOverflows(), o.selection(), alignment, readers, blockBytes,
                o.directIo(), o.transferPath(), o.numaPinning(),
                deviceBudget, hostBudget, o.group(), o.distribution(), o.shards(), o.open(), o.checkDigests(),
                o.digests(),
                o.leakDetection(), o.stream(), o.progress());
    }

    private static void assertRefused(Executable call, String... words) {
        IllegalArgumentException e = assertThrows(IllegalArgumentException.class, call);
        for (String word : words) {
            assertTrue(e.getMessage().contains(word), e.getMessage());
        }
    }

    @Test
    void numbers_out_of_range_are_refused_by_the_builder_and_by_the_options_alike() {
        for (long alignment : new long[] {-1, 3, Long.MIN_VALUE, 1L << 58, 1L << 31, 1L << 62, Long.MAX_VALUE}) {
            assertRefused(() -> Loader.builder().alignment(alignment), "alignment", Long.toString(alignment));
            assertRefused(() -> with(alignment, 0, 0, 1, 1), "alignment", Long.toString(alignment));
        }
        for (int readers : new int[] {-1, 1025, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            assertRefused(() -> Loader.builder().readers(readers), "readers", Integer.toString(readers));
            assertRefused(() -> with(0, readers, 0, 1, 1), "readers");
        }
        for (int block : new int[] {-1, (1 << 30) + 1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            assertRefused(() -> Loader.builder().blockBytes(block), "blocks", Integer.toString(block));
            assertRefused(() -> with(0, 0, block, 1, 1), "blocks");
        }
        for (long budget : new long[] {0, -1, Long.MIN_VALUE}) {
            assertRefused(() -> Loader.builder().deviceBudget(budget), "budget", Long.toString(budget));
            assertRefused(() -> Loader.builder().hostBudget(budget), "budget", Long.toString(budget));
            assertRefused(() -> with(0, 0, 0, budget, 1), "budget");
            assertRefused(() -> with(0, 0, 0, 1, budget), "budget");
        }
        assertEquals(1 << 30, Loader.builder().alignment(1 << 30).options().alignment());
        assertEquals(1024, Loader.builder().readers(1024).options().readers());
        assertEquals(1 << 30, Loader.builder().blockBytes(1 << 30).options().blockBytes());
    }

    @Test
    void streams_and_writes_have_bounds() {
        for (int ahead : new int[] {-2, StreamOptions.MOST_AHEAD + 1, Integer.MAX_VALUE - 1, Integer.MAX_VALUE}) {
            assertRefused(() -> new StreamOptions(ahead, false), "ahead", Integer.toString(ahead));
        }
        assertEquals(StreamOptions.MOST_AHEAD, new StreamOptions(StreamOptions.MOST_AHEAD, true).batchesAhead());
        for (int alignment : new int[] {0, 4, 12, 1 << 27, 1 << 30, Integer.MIN_VALUE, -8}) {
            assertRefused(() -> WriteOptions.defaults().withDataAlignment(alignment), "alignment",
                    Integer.toString(alignment));
        }
        for (long bytes : new long[] {0, -1, Long.MIN_VALUE}) {
            assertRefused(() -> WriteOptions.defaults().withMaxShardBytes(bytes), "shards", Long.toString(bytes));
        }
    }
}
