package io.fastsafetensors.spi.base;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class ForwardingTest {
    /// Calls that arrived at a delegate: the method, then the arguments.
    private final List<List<Object>> calls = new ArrayList<>();

    private final ForwardingBackend backend = new ForwardingBackend(recording(Backend.class));

    private final Map<Class<?>, Function<Object, Object>> forwarders = Map.of(
            BackendProvider.class, d -> new ForwardingProvider((BackendProvider) d),
            Backend.class, d -> new ForwardingBackend((Backend) d),
            DeviceBuffer.class, d -> new ForwardingBuffer(backend, (DeviceBuffer) d),
            StagingBuffer.class, d -> new ForwardingStaging((StagingBuffer) d),
            CopyStream.class, d -> new ForwardingStream(backend, (CopyStream) d),
            Fence.class, d -> new ForwardingFence(backend, (Fence) d),
            Kernels.class, d -> new ForwardingKernels(backend, (Kernels) d),
            HostRegistration.class, d -> new ForwardingRegistration((HostRegistration) d),
            DirectStorage.class, d -> new ForwardingStorage(backend, (DirectStorage) d),
            DirectFile.class, d -> new ForwardingFile(backend, (DirectFile) d));

    private <T> T recording(Class<T> type) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, given) -> {
            Object[] arguments = given == null ? new Object[0] : given;
            switch (method.getName()) {
                case "equals":
                    return self == arguments[0];
                case "hashCode":
                    return System.identityHashCode(self);
                case "toString":
                    return type.getSimpleName();
                default:
                    List<Object> call = new ArrayList<>(List.of(method));
                    call.addAll(Arrays.asList(arguments));
                    calls.add(call);
                    return sample(method.getReturnType());
            }
        }));
    }

    /// Something of a type, different from what a default method would answer where there is a choice.
    private Object sample(Class<?> type) {
        if (type == void.class) {
            return null;
        } else if (type == boolean.class) {
            return true;
        } else if (type == int.class) {
            return 41;
        } else if (type == long.class) {
            return 43L;
        } else if (type == String.class) {
            return "word";
        } else if (type == Optional.class) {
            return Optional.empty();
        } else if (type == MemorySegment.class) {
            return MemorySegment.ofArray(new byte[8]);
        } else if (type == BufferSlice.class) {
            return new BufferSlice(recording(DeviceBuffer.class), 0, 1);
        } else if (type == DType.class) {
            return DType.F16;
        }
        return type.isInterface() ? recording(type) : null;
    }

    @TestFactory
    List<DynamicTest> every_method_is_forwarded() {
        List<DynamicTest> tests = new ArrayList<>();
        forwarders.forEach((type, forwarder) -> {
            for (Method method : type.getMethods()) {
                if (!Modifier.isStatic(method.getModifiers())) {
                    tests.add(DynamicTest.dynamicTest(type.getSimpleName() + "." + method.getName(),
                            () -> assertForwarded(type, forwarder, method)));
                }
            }
        });
        assertTrue(tests.size() > 45, tests.size() + " methods");
        return tests;
    }

    private void assertForwarded(Class<?> type, Function<Object, Object> forwarder, Method method)
            throws ReflectiveOperationException {
        Object delegate = recording(type);
        Object forwarding = forwarder.apply(delegate);
        Class<?> declaring = forwarding.getClass().getMethod(method.getName(), method.getParameterTypes())
                .getDeclaringClass();
        assertTrue(declaring.getSimpleName().startsWith("Forwarding"), "it is inherited from " + declaring);
        Object[] arguments = Arrays.stream(method.getParameterTypes()).map(this::sample).toArray();
        calls.clear();
        try {
            method.invoke(forwarding, arguments);
        } catch (InvocationTargetException e) {
            throw new AssertionError(e.getCause());
        }
        if (method.getName().equals("name")) {
            // Asked of the delegate once, when the decorator is made.
            assertEquals("word", method.invoke(forwarding));
            return;
        }
        List<Object> expected = new ArrayList<>(List.of(method));
        expected.addAll(Arrays.asList(arguments));
        List<List<Object>> arrived = calls.stream().filter(call -> call.getFirst().equals(method)).toList();
        assertEquals(List.of(expected), arrived);
    }

    @Test
    void the_delegate_sees_its_own_objects_only() {
        List<Object> seen = new ArrayList<>();
        Backend inner = (Backend) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Backend.class},
                (_, method, _) -> {
                    Object made = sample(method.getReturnType());
                    if (!(made instanceof String)) {
                        seen.add(made);
                    }
                    return made;
                });
        ForwardingBackend outer = new ForwardingBackend(inner) {
            @Override
            public DeviceBuffer allocate(long bytes, long alignment) {
                return new ForwardingBuffer(this, super.allocate(bytes, alignment));
            }
        };
        DeviceBuffer buffer = outer.allocate(43, 1);
        CopyStream stream = outer.openCopyStream();
        assertNotSame(seen.getFirst(), buffer);
        calls.clear();
        stream.copyToHost(buffer, 0, MemorySegment.ofArray(new byte[1]));
        assertSame(seen.getFirst(), calls.getFirst().get(1));
        calls.clear();
        outer.kernels().convert(stream, BufferSlice.of(buffer), DType.U8, BufferSlice.of(buffer), DType.I8, 1);
        List<Object> convert = calls.getLast();
        assertSame(seen.get(1), convert.get(1));
        assertSame(seen.getFirst(), ((BufferSlice) convert.get(2)).buffer());
        assertSame(seen.getFirst(), ((BufferSlice) convert.get(4)).buffer());
    }

    /// A decorator of a decorator: each takes off its own wrapper.
    @Test
    void another_decorators_objects_stay_wrapped() {
        ForwardingBackend other = new ForwardingBackend(recording(Backend.class));
        DeviceBuffer theirs = new ForwardingBuffer(other, recording(DeviceBuffer.class));
        assertSame(theirs, backend.unwrap(theirs));
        DeviceBuffer ours = new ForwardingBuffer(backend, theirs);
        assertSame(theirs, backend.unwrap(ours));
        Fence fence = new ForwardingFence(other, recording(Fence.class));
        assertSame(fence, backend.unwrap(fence));
        CopyStream stream = new ForwardingStream(other, recording(CopyStream.class));
        assertSame(stream, backend.unwrap(stream));
    }

    @Test
    void a_decorators_name_stands_in_what_it_throws() {
        Backend full = (Backend) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Backend.class},
                (_, method, _) -> {
                    if (method.getName().equals("name")) {
                        return "plain";
                    }
                    throw new OutOfDeviceMemoryException(7, 3, "the largest is 5", Where.backend("plain"));
                });
        OutOfDeviceMemoryException e = assertThrows(OutOfDeviceMemoryException.class,
                () -> new ForwardingBackend("better", full).allocate(7, 1));
        assertEquals(List.of("better", 7L, 3L), List.of(e.where().backend(), e.requested(), e.free()));
        assertEquals("the largest is 5", e.limit());
        assertEquals("plain", assertThrows(OutOfDeviceMemoryException.class,
                () -> new ForwardingBackend(full).allocateStaging(7)).where().backend());
        BackendProvider closed = (BackendProvider) Proxy.newProxyInstance(getClass().getClassLoader(),
                new Class<?>[] {BackendProvider.class}, (_, method, _) -> {
                    if (method.getName().equals("name")) {
                        return "plain";
                    }
                    throw new BackendException("no such device", Where.backend("plain"));
                });
        assertEquals("better", assertThrows(BackendException.class, () -> new ForwardingProvider("better", closed)
                .open(Device.CPU, BackendOptions.defaults())).where().backend());
    }
}
