package io.fastsafetensors.testkit.loader;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.Map;

/// An interface of which only some methods work, by name.
final class Stub {
    interface Body {
        Object call(Object[] arguments);
    }

    private static final Object[] NOTHING = {};

    private Stub() {
    }

    static <T> T of(Class<T> type, Map<String, Body> bodies) {
        InvocationHandler handler = (proxy, method, arguments) -> {
            Body body = bodies.get(method.getName());
            if (body != null) {
                Object result = body.call(arguments == null ? NOTHING : arguments);
                return method.getReturnType() == void.class ? null : result;
            }
            throw new UnsupportedOperationException(method.toString());
        };
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
    }
}
