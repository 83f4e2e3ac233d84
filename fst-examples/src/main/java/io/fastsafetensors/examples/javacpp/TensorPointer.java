package io.fastsafetensors.examples.javacpp;

import io.fastsafetensors.api.Pin;
import io.fastsafetensors.api.Tensor;
import org.bytedeco.javacpp.BytePointer;

/// A JavaCPP pointer to the bytes of a tensor, for any function that JavaCPP binds. No byte is copied. Of a GPU tensor it
/// is the device address, which only functions of the GPU's libraries may follow.
///
/// It pins the memory until it is closed, or collected. For other element types cast it, and say how many there are,
/// since a cast keeps the number of bytes: `new FloatPointer(pointer).capacity(elements)`. A cast holds the pointer, and
/// closing either closes both.
public final class TensorPointer extends BytePointer {
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException where the device has no pointers (OpenCL)
    public TensorPointer(Tensor tensor) {
        Pin pin = tensor.pin();
        address = pin.address();
        limit = pin.byteSize();
        capacity = limit;
        deallocator(pin::close);
    }
}
