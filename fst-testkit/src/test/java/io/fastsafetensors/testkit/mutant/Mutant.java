package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.Effort;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.types.Device;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/// A provider with one defect.
///
/// @param rule the rule that must fail
/// @param defect what is wrong
/// @param provider the provider
/// @param effort the effort at which it shows
public record Mutant(String rule, String defect, BackendProvider provider, Effort effort) {
    /// Every mutant.
    public static List<Mutant> all() {
        return Stream.of(ProbeMutants.all(), MemoryMutants.all(), LifetimeMutants.all(), CopyMutants.all(),
                OrderMutants.all(), ThreadMutants.all(), ConversionMutants.all(), GatherMutants.all(),
                DirectMutants.all(), ErrorMutants.all()).flatMap(List::stream).toList();
    }

    /// Rule and defect.
    @Override
    public String toString() {
        return rule + ": " + defect;
    }

    static Mutant of(String rule, String defect, BackendProvider provider) {
        return new Mutant(rule, defect, provider, Effort.QUICK);
    }

    /// Another backend around the host's, which has no kernels.
    static Mutant ofBackend(String rule, String defect, UnaryOperator<Backend> broken) {
        return ofBackend(rule, defect, HostProvider.copying(), broken);
    }

    static Mutant ofBackend(String rule, String defect, BackendProvider base, UnaryOperator<Backend> broken) {
        return of(rule, defect, new Forwarding.OfProvider(base) {
            @Override
            public Backend open(Device device, BackendOptions options) {
                return broken.apply(super.open(device, options));
            }
        });
    }

    /// Makes a buffer around the one that was allocated.
    interface Allocation {
        DeviceBuffer of(DeviceBuffer real, long bytes, long alignment);
    }

    static Mutant ofBuffer(String rule, String defect, Allocation broken) {
        return ofBackend(rule, defect, real -> bufferBackend(real, broken));
    }

    static Backend bufferBackend(Backend real, Allocation broken) {
        return new Forwarding.OfBackend(real) {
            @Override
            public DeviceBuffer allocate(long bytes, long alignment) {
                return broken.of(super.allocate(bytes, alignment), bytes, alignment);
            }
        };
    }

    /// Makes staging memory around the one that was allocated.
    interface StagingAllocation {
        StagingBuffer of(StagingBuffer real, long bytes);
    }

    static Mutant ofStaging(String rule, String defect, StagingAllocation broken) {
        return ofBackend(rule, defect, real -> new Forwarding.OfBackend(real) {
            @Override
            public StagingBuffer allocateStaging(long bytes) {
                return broken.of(super.allocateStaging(bytes), bytes);
            }
        });
    }

    static Mutant ofStream(String rule, String defect, Function<CopyStream, CopyStream> broken) {
        return ofStream(rule, defect, HostProvider.copying(), broken);
    }

    static Mutant ofStream(String rule, String defect, BackendProvider base, Function<CopyStream, CopyStream> broken) {
        return ofBackend(rule, defect, base, real -> new Forwarding.OfBackend(real) {
            @Override
            public CopyStream openCopyStream() {
                return broken.apply(super.openCopyStream());
            }
        });
    }

    static Mutant ofKernels(String rule, String defect, Function<Kernels, Kernels> broken) {
        return ofBackend(rule, defect, HostProvider.full(), real -> new Forwarding.OfBackend(real) {
            @Override
            public Kernels kernels() {
                return broken.apply(super.kernels());
            }
        });
    }

    static Mutant ofStorage(String rule, String defect, Function<DirectStorage, DirectStorage> broken) {
        return ofBackend(rule, defect, real -> new Forwarding.OfBackend(real) {
            @Override
            public Optional<DirectStorage> directStorage() {
                return super.directStorage().map(broken);
            }
        });
    }

    static Mutant ofFile(String rule, String defect, Function<DirectFile, DirectFile> broken) {
        return ofStorage(rule, defect, real -> new Forwarding.OfStorage(real) {
            @Override
            public DirectFile open(StorageFile file) {
                return broken.apply(super.open(file));
            }
        });
    }
}
