package io.fastsafetensors.types;

import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// One device, such as `cpu` or `cuda:1`. The set of types is open: a backend may bring its own.
///
/// Two types stand for a device that fst finds when a loader is built; a loaded tensor never reports them. Which device they
/// mean is decided by what backends say of this machine, see `fst doctor`:
///
/// * `gpu:N` is the graphics processor number N, from 0, of one backend, in that backend's order; devices of other kinds
///   (processors, accelerators) are not counted. `gpu` is `gpu:0`. Of the backends that have so many, the one of the highest
///   priority is taken.
/// * `auto` is device 0 of one backend: of those whose device 0 is a graphics processor or an accelerator the one of the
///   highest priority; else `cpu`; else a processor behind a driver, such as OpenCL's.
/// * Where priorities are equal, the device with more memory is taken, then the backend whose name comes first. So between
///   vendors a priority decides, and between equals the larger device.
/// * A backend that was asked for by name restricts all this to its devices.
///
/// @param type lower-case letters and digits, such as `cpu`, `cuda`, `rocm`, `opencl`, `gpu`, `auto`
/// @param index the device's number in its runtime's own order, from 0
///
/// ```java
/// Device gpu = Device.parse("cuda:0");
/// ```
public record Device(String type, int index) {
    /// Host memory.
    public static final Device CPU = new Device("cpu", 0);
    /// The best device that some backend offers.
    public static final Device AUTO = new Device("auto", 0);

    /// @throws IllegalArgumentException if the type is not a lower-case word or the index negative
    public Device {
        Objects.requireNonNull(type, "type");
        if (!isWord(type) || index < 0) {
            throw new IllegalArgumentException("no device: \"" + type + ":" + index
                    + "\"; expected a form such as cpu, cuda:0, rocm:0, opencl:1, gpu:0 or auto");
        }
    }

    private static boolean isWord(String type) {
        for (int i = 0; i < type.length(); i++) {
            char c = type.charAt(i);
            if ((c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9')) {
                return false;
            }
        }
        return !type.isEmpty();
    }

    /// Reads `cpu`, `cuda`, `cuda:1`; a missing index is 0.
    ///
    /// @throws IllegalArgumentException if it is none of these forms
    public static Device parse(String text) {
        Objects.requireNonNull(text, "text");
        int colon = text.indexOf(':');
        String type = (colon < 0 ? text : text.substring(0, colon)).toLowerCase(Locale.ROOT);
        try {
            return new Device(type, colon < 0 ? 0 : Integer.parseInt(text.substring(colon + 1)));
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("no device: \"" + text + "\"; expected a form such as cpu or cuda:0", e);
        }
    }

    /// Whether this is host memory.
    public boolean isCpu() {
        return type.equals("cpu");
    }

    // Those of a record are linked at run time, in each process's first load.
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Device that && index == that.index && type.equals(that.type);
    }

    @Override
    public int hashCode() {
        return 31 * type.hashCode() + index;
    }

    /// `cpu`, `auto`, or `type:index`.
    @Override
    public String toString() {
        return isCpu() || type.equals("auto") ? type : type + ":" + index;
    }
}
