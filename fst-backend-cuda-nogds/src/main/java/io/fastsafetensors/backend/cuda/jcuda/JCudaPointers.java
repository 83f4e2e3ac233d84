package io.fastsafetensors.backend.cuda.jcuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;

/// JCuda's objects as handles, and raw addresses as JCuda's pointers. JCuda opens neither way but to subclasses.
final class JCudaPointers {
    private JCudaPointers() {
    }

    static final class OfDevice extends CUdevice implements CudaDriver.Device {
        @Override
        public long address() {
            return getNativePointer();
        }
    }

    static final class OfContext extends CUcontext implements CudaDriver.Context {
        @Override
        public long address() {
            return getNativePointer();
        }
    }

    static final class OfStream extends CUstream implements CudaDriver.Stream {
        @Override
        public long address() {
            return getNativePointer();
        }
    }

    static final class OfEvent extends CUevent implements CudaDriver.Event {
        @Override
        public long address() {
            return getNativePointer();
        }
    }

    static final class OfModule extends CUmodule implements CudaDriver.Module {
        @Override
        public long address() {
            return getNativePointer();
        }
    }

    static final class OfFunction extends CUfunction implements CudaDriver.Function {
        @Override
        public long address() {
            return getNativePointer();
        }
    }

    /// A host address.
    static final class Host extends Pointer {
        Host(long address) {
            super(address);
        }

        long address() {
            return getNativePointer() + getByteOffset();
        }
    }

    /// A device address.
    static final class Global extends CUdeviceptr {
        private static final CUdeviceptr NULL = new CUdeviceptr();

        Global(long address) {
            super(NULL, address);
        }

        long address() {
            return getNativePointer() + getByteOffset();
        }
    }
}
