package acme.metered;

import acme.least.LeastProvider;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.base.ForwardingBackend;
import io.fastsafetensors.spi.base.ForwardingBuffer;
import io.fastsafetensors.spi.base.ForwardingProvider;
import io.fastsafetensors.types.Device;
import java.util.concurrent.atomic.AtomicInteger;

/// The backend `least` with a count of its open buffers.
public final class MeteredProvider extends ForwardingProvider {
    private static final AtomicInteger OPEN = new AtomicInteger();

    public MeteredProvider() {
        super("metered", new LeastProvider());
    }

    /// How many buffers are open.
    public static int open() {
        return OPEN.get();
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        return new ForwardingBackend("metered", super.open(device, options)) {
            @Override
            public DeviceBuffer allocate(long bytes, long alignment) {
                return new Counted(this, super.allocate(bytes, alignment));
            }
        };
    }

    private static final class Counted extends ForwardingBuffer {
        private final AtomicInteger open = new AtomicInteger(1);

        Counted(ForwardingBackend owner, DeviceBuffer buffer) {
            super(owner, buffer);
            OPEN.incrementAndGet();
        }

        @Override
        public void close() {
            super.close();
            OPEN.addAndGet(-open.getAndSet(0));
        }
    }
}
