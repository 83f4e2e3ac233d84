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
}
