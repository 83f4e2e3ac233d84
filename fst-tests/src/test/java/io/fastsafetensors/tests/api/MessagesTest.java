package io.fastsafetensors.tests.api;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.api.Digests;
import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.ByteSize;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import io.fastsafetensors.types.TensorInfo;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Executable;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.jspecify.annotations.Nullable;

/// Messages speak the user's language.
class MessagesTest {
    @TempDir
    private Path directory;

    private Path write(String... names) {
        Path file = directory.resolve("m.safetensors");
        Safetensors.write(file, Arrays.stream(names)
                .map(name -> TensorSource.of(name, Shape.of(3), new float[] {1, 2, 3})).toArray(TensorSource[]::new));
        return file;
    }

    @Test
    void a_collected_stream_says_that_its_tensors_were_lent() {
        Path file = write("a", "b", "c");
        try (Loader loader = Loader.builder().build(); TensorStream stream = loader.stream(file)) {
            List<Tensor> collected = stream.stream().toList();
            String first = assertThrows(IllegalStateException.class, collected.getFirst()::toFloatArray).getMessage();
            assertTrue(first.contains("stream") && first.contains("until the next one is asked for")
                    && first.contains("withOwned(true)") && first.contains("detach()"), first);
            assertFalse(first.contains("weights"), first);
        }
        try (Loader loader = Loader.builder().build()) {
            Tensor dead;
            try (TensorStream stream = loader.stream(file)) {
                dead = stream.iterator().next();
            }
            String late = assertThrows(IllegalStateException.class, dead::name).getMessage();
            assertTrue(late.startsWith("a batch of the stream of ") && late.contains("withOwned(true)"), late);
        }
        try (Loader loader = Loader.builder().build();
                TensorStream stream = loader.stream(file, StreamOptions.defaults().withOwned(true))) {
            for (Tensor tensor : stream.stream().toList()) {
                try (tensor) {
                    assertArrayEquals(new float[] {1, 2, 3}, tensor.toFloatArray());
                }
            }
        }
    }

    @Test
    void names_with_control_characters_are_escaped_wherever_they_are_shown() {
        String evil = "w\u001b[31m\n\u202ex";
        String shown = "w\\u001b[31m\\u000a\\u202ex";
        Path file = write(evil);
        Checkpoint checkpoint = Safetensors.open(file);
        assertTrue(checkpoint.info(evil).toString().contains(shown), checkpoint.info(evil)::toString);
        Tensor tensor;
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            tensor = weights.get(evil);
            assertTrue(tensor.toString().startsWith("Tensor[" + shown + ", F32"), tensor::toString);
            Tensor detached = tensor.detach();
            detached.close();
            assertPlain(assertThrows(IllegalStateException.class, detached::shape).getMessage());
            Tensor closed = weights.get(evil);
            closed.close();
            assertPlain(assertThrows(IllegalStateException.class, closed::shape).getMessage());
            assertPlain(assertThrows(IllegalArgumentException.class,
                    () -> tensor.copyTo(MemorySegment.ofArray(new byte[1]))).getMessage());
        }
        assertPlain(assertThrows(IllegalArgumentException.class,
                () -> TensorSource.of(evil, Shape.of(4), new float[1])).getMessage());
    }

    @Test
    void paths_with_control_characters_are_escaped_too() throws IOException {
        Path file = Files.move(write("w"), directory.resolve("w\u001b[31m.safetensors"));
        try (Loader loader = Loader.builder().build()) {
            assertPlain(Safetensors.open(file).toString());
            Weights weights = loader.load(file);
            assertPlain(weights.toString());
            weights.close();
            assertPlain(assertThrows(IllegalStateException.class, weights::names).getMessage());
            try (TensorStream stream = loader.stream(file)) {
                assertPlain(stream.toString());
            }
        }
    }

    private static void assertPlain(@Nullable String message) {
        assertNotNull(message);
        assertTrue(message.contains("w\\u001b") && message.chars().noneMatch(Character::isISOControl), message);
    }

    @Test
    void a_selection_narrows_one_load_and_one_stream() {
        Path file = write("a", "b", "c");
        try (Loader loader = Loader.builder().select(Selection.names("a", "b")).build()) {
            try (Weights weights = loader.load(file, Selection.names("b", "c"))) {
                assertEquals(List.of("b"), List.copyOf(weights.names()));
            }
            try (Weights weights = loader.load(file)) {
                assertEquals(2, weights.names().size());
            }
            try (TensorStream stream = loader.stream(file, Selection.names("a"))) {
                assertEquals(List.of("a"), stream.stream().map(Tensor::name).toList());
            }
            assertEquals(12, loader.plan(Location.of(file), Selection.names("a")).bytesToRead());
        }
    }

    /// Values for parameters, by type: what a call needs besides the one argument that is missing.
    private Map<Class<?>, Object> samples(Loader loader, Weights weights, Path file) {
        Map<Class<?>, Object> samples = new HashMap<>();
        for (Object value : new Object[] {Device.CPU, DType.F32, Shape.of(3), Selection.all(), GetOptions.asLoaded(),
            StreamOptions.defaults(), WriteOptions.defaults(), OpenOptions.defaults(), DirectIo.AUTO,
            Distribution.AUTO, TransferPath.AUTO, LeakDetection.OFF, DlpackVersion.LEGACY, Location.of(file),
            LoadOptions.defaults(), ShardSpec.of(Map.of()), "w", new byte[12], new float[3], new double[3],
            new long[3], new int[3], new short[3], new boolean[3], new long[] {3}, new String[] {"w"},
            new Slice[0], new TensorSource[0], URI.create("file:///m")}) {
            samples.put(value.getClass(), value);
        }
        samples.put(Path.class, file);
        samples.put(List.class, List.of());
        samples.put(Map.class, Map.of());
        samples.put(Optional.class, Optional.empty());
        samples.put(Tensor.class, weights.get("w"));
        samples.put(MemorySegment.class, MemorySegment.ofArray(new byte[12]));
        samples.put(ProgressListener.class, ProgressListener.NONE);
        samples.put(int.class, 0);
        samples.put(long.class, 0L);
        samples.put(boolean.class, false);
        samples.put(Loader.class, loader);
        samples.put(Selection.class, Selection.all());
        samples.put(Digests.class, Digests.none());
        return samples;
    }

    /// A null for each reference parameter of every public method, the others filled with samples.
    @Test
    void null_arguments_are_named() throws ReflectiveOperationException {
        Path file = write("w");
        List<String> wrong = new ArrayList<>();
        int calls = 0;
        try (Loader loader = Loader.builder().build();
                Weights weights = loader.load(file);
                TensorStream stream = loader.stream(file)) {
            Map<Class<?>, Object> samples = samples(loader, weights, file);
            Map<Class<?>, @Nullable Object> receivers = new HashMap<>();
            receivers.put(Loader.class, loader);
            receivers.put(Weights.class, weights);
            receivers.put(TensorStream.class, stream);
            receivers.put(Tensor.class, weights.get("w"));
            receivers.put(Checkpoint.class, Safetensors.open(file));
            receivers.put(LoaderBuilder.class, Loader.builder());
            receivers.put(Selection.class, Selection.all());
            receivers.put(ShardSpec.class, ShardSpec.of(Map.of()));
            receivers.put(GetOptions.class, GetOptions.asLoaded());
            receivers.put(WriteOptions.class, WriteOptions.defaults());
            receivers.put(Location.class, Location.of(file));
            for (Class<?> type : List.of(Safetensors.class, TensorSource.class, Diagnostics.class, DType.class,
                    Device.class, Shape.class, TensorInfo.class, BackendChoice.class, LoadOptions.class, ByteSize.class,
                    ShardSpec.Rule.class)) {
                receivers.putIfAbsent(type, null);
            }
            for (Map.Entry<Class<?>, @Nullable Object> each : receivers.entrySet()) {
                Stream<Executable> executables = Stream.concat(Arrays.stream(each.getKey().getDeclaredMethods()),
                        Arrays.stream(each.getKey().getDeclaredConstructors()));
                for (Executable call : executables.toList()) {
                    if (Modifier.isPublic(call.getModifiers()) && !call.isSynthetic()
                            && !List.of("equals", "valueOf", "test", "forEach").contains(call.getName())
                            && (each.getValue() != null || !(call instanceof Method)
                                    || Modifier.isStatic(call.getModifiers()))) {
                        calls += callWithNulls(call, each.getValue(), samples, wrong);
                    }
                }
            }
        }
        assertEquals(List.of(), wrong);
        assertTrue(calls > 100, calls + " calls");
    }

    private static int callWithNulls(Executable call, @Nullable Object receiver, Map<Class<?>, Object> samples,
            List<String> wrong) throws ReflectiveOperationException {
        int calls = 0;
        for (int missing = 0; missing < call.getParameterCount(); missing++) {
            if (call.getParameterTypes()[missing].isPrimitive()) {
                continue;
            }
            @Nullable Object[] arguments = new @Nullable Object[call.getParameterCount()];
            for (int i = 0; i < arguments.length; i++) {
                Class<?> type = call.getParameterTypes()[i];
                Object sample = samples.get(type);
                if (sample == null && type.isInterface()) {
                    sample = Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type},
                            (_, method, _) -> method.getName().equals("hashCode") ? 0 : null);
                }
                arguments[i] = i == missing ? null : sample;
            }
            calls++;
            String what = call + " argument " + missing;
            try {
                if (call instanceof Method method) {
                    method.invoke(receiver, arguments);
                } else {
                    ((java.lang.reflect.Constructor<?>) call).newInstance(arguments);
                }
                wrong.add(what + ": accepted");
            } catch (InvocationTargetException e) {
                Throwable cause = e.getCause();
                String name = call.getParameters()[missing].getName();
                boolean named = cause instanceof NullPointerException && (call.getParameters()[missing].isNamePresent()
                        ? name.equals(cause.getMessage())
                        : String.valueOf(cause.getMessage()).matches("[a-zA-Z]+"));
                if (!named) {
                    wrong.add(what + " " + name + ": " + cause);
                }
            }
        }
        return calls;
    }
}
