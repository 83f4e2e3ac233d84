package io.fastsafetensors.testkit.mutant;

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
import io.fastsafetensors.testkit.host.BufferWrapper;
import io.fastsafetensors.types.Device;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// A backend of proxies: every call to it and to what it hands out passes a [Change].
final class Layer {
    private static final List<Class<?>> HANDED_OUT = List.of(DeviceBuffer.class, StagingBuffer.class, CopyStream.class,
            Fence.class, Kernels.class, DirectStorage.class, DirectFile.class, HostRegistration.class);

    /// One call on its way.
    ///
    /// @param type the interface of the SPI
    /// @param method the method
    /// @param target what is called
    /// @param arguments as the caller gave them, but for objects of the layer, which are what they stand for
    /// @param closed whether the target was closed before
    record Call(Class<?> type, Method method, Object target, Object[] arguments, boolean closed) {
        /// `CopyStream.copy`, say.
        String site() {
            return type.getSimpleName() + "." + method.getName();
        }

        Object argument(int index) {
            return arguments[index];
        }

        long number(int index) {
            return (long) arguments[index];
        }

        /// Calls the target.
        @Nullable
        Object proceed() throws Throwable {
            return proceed(arguments);
        }

        @Nullable
        Object proceed(Object[] changed) throws Throwable {
            try {
                return method.invoke(target, changed);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }

        /// The arguments with another one in one place.
        Object[] with(int index, Object value) {
            Object[] changed = arguments.clone();
            changed[index] = value;
            return changed;
        }
    }

    /// The fate of calls.
    interface Change {
        @Nullable
        Object call(Call call) throws Throwable;
    }

    private Layer() {
    }

    /// A provider whose backends are changed; each gets a change of its own.
    static BackendProvider provider(BackendProvider real, java.util.function.Supplier<Change> changes) {
        return new Forwarding.OfProvider(real) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                return (Backend) wrap(Backend.class, super.open(device, options), changes.get());
            }
        };
    }

    private static Object wrap(Class<?> type, Object target, Change change) {
        Class<?>[] types = type == DeviceBuffer.class ? new Class<?>[] {type, BufferWrapper.class}
                : new Class<?>[] {type};
        return Proxy.newProxyInstance(Layer.class.getClassLoader(), types, new Handler(type, target, change));
    }

    private record Handler(Class<?> type, Object target, Change change, AtomicBoolean closed)
            implements InvocationHandler {
        Handler(Class<?> type, Object target, Change change) {
            this(type, target, change, new AtomicBoolean());
        }

        @Override
        @SuppressWarnings("ReferenceEquality") // Proxies have no equality but their identity.
        public @Nullable Object invoke(Object proxy, Method method, Object @Nullable [] given) throws Throwable {
            Object[] arguments = given == null ? new Object[0] : given;
            if (method.getDeclaringClass() == Object.class) {
                return switch (method.getName()) {
                    case "equals" -> proxy == arguments[0];
                    case "hashCode" -> System.identityHashCode(proxy);
                    default -> type.getSimpleName() + " of a layer around " + target;
                };
            }
            if (method.getName().equals("inner")) {
                return target;
            }
            Object[] real = arguments.clone();
            for (int i = 0; i < real.length; i++) {
                real[i] = unwrap(real[i]);
            }
            boolean before = closed.get();
            if (method.getName().equals("close")) {
                closed.set(true);
            }
            Object answer = change.call(new Call(type, method, target, real, before));
            return answer instanceof Optional<?> optional ? optional.map(this::wrapped) : wrapped(answer);
        }

        private @Nullable Object wrapped(@Nullable Object answer) {
            if (answer == null || Proxy.isProxyClass(answer.getClass())) {
                return answer;
            }
            return HANDED_OUT.stream().filter(handed -> handed.isInstance(answer)).findFirst()
                    .map(handed -> wrap(handed, answer, change)).orElse(answer);
        }
    }

    private static Object unwrap(Object argument) {
        if (argument instanceof BufferSlice slice && slice.buffer() instanceof BufferWrapper) {
            Object buffer = unwrap(slice.buffer());
            return isOpen((DeviceBuffer) buffer)
                    ? new BufferSlice((DeviceBuffer) buffer, slice.offset(), slice.byteSize()) : slice;
        }
        return Proxy.isProxyClass(argument.getClass())
                && Proxy.getInvocationHandler(argument) instanceof Handler handler
                        ? handler.target : argument;
    }

    private static boolean isOpen(DeviceBuffer buffer) {
        try {
            buffer.byteSize();
            return true;
        } catch (IllegalStateException _) {
            return false;
        }
    }
}
