package io.fastsafetensors.backend.rocm.opencl.binding;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.jocl.NativePointerObject;
import org.jspecify.annotations.Nullable;

/// JOCL's objects of one kind by the driver's handle, since JOCL cannot make an object of a handle. Thread-safe.
final class JoclObjects<T extends NativePointerObject> {
    private final ConcurrentMap<Long, T> objects = new ConcurrentHashMap<>();

    /// The handle of an object that JOCL just made; 0 if it made none.
    long add(@Nullable T object) {
        if (object == null || object.getNativePointer() == 0) {
            return 0;
        }
        objects.put(object.getNativePointer(), object);
        return object.getNativePointer();
    }

    /// @throws IllegalStateException if the handle was released
    T get(long handle) {
        return live(objects.get(handle), handle);
    }

    /// Forgets a handle before the driver is told to release it, since it may give out the same number right after.
    ///
    /// @throws IllegalStateException if the handle was released
    T remove(long handle) {
        return live(objects.remove(handle), handle);
    }

    private T live(@Nullable T object, long handle) {
        if (object == null) {
            throw new IllegalStateException("the OpenCL object " + Long.toHexString(handle) + " was released");
        }
        return object;
    }
}
