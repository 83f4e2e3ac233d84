package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.types.Device;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/// Defects of probing and opening.
final class ProbeMutants {
    private ProbeMutants() {
    }

    static List<Mutant> all() {
        return List.of(
                Mutant.of("P-01", "the probe prints", probing(() -> {
                    System.err.println("no libacme.so");
                    return HostProvider.copying().probe();
                })), Mutant.of("P-01", "the probe throws", probing(() -> {
                    throw new UnsatisfiedLinkError("libacme.so");
                })), Mutant.of("P-01", "the reason is blank", probing(() -> new Probe.Unavailable(" "))),
                Mutant.of("P-02", "the devices are of another type", otherType()),
                Mutant.of("P-02", "there are no devices", probing(() -> probe(List.of(), allCapabilities()))),
                Mutant.of("P-03", "other threads see other capabilities", threadDependent()),
                Mutant.of("P-04", "the device type is a word for many", nondescript()),
                Mutant.ofBackend("P-05", "the backend says that it is another device",
                        real -> new Forwarding.OfBackend(real) {
                            @Override
                            public DeviceInfo info() {
                                return ProbeMutants.info(super.info(), new Device("host", 1));
                            }
                        }),
                Mutant.ofBackend("P-06", "the backend has another name", real -> new Forwarding.OfBackend(real) {
                    @Override
                    public String name() {
                        return "other";
                    }
                }), Mutant.ofBackend("P-07", "a block is no whole number of pages",
                        real -> new Forwarding.OfBackend(real) {
                            @Override
                            public TransferHints hints() {
                                return new TransferHints(64, 1_000_000, 1, 1);
                            }
                        }),
                Mutant.ofBackend("P-08", "free is more than total", real -> new Forwarding.OfBackend(real) {
                    @Override
                    public MemoryInfo memory() {
                        return MemoryInfo.of(super.memory().total() + 1, super.memory().total());
                    }
                }), Mutant.of("P-09", "unknown options are refused", new Forwarding.OfProvider(HostProvider.copying()) {
                    @Override
                    public Backend open(Device device, BackendOptions options) {
                        if (!options.properties().isEmpty()) {
                            throw new IllegalArgumentException(options.toString());
                        }
                        return super.open(device, options);
                    }
                }), Mutant.of("P-10", "any index opens", new Forwarding.OfProvider(HostProvider.copying()) {
                    @Override
                    public Backend open(Device device, BackendOptions options) {
                        return super.open(HostProvider.DEVICE, options);
                    }
                }), Mutant.of("P-11", "direct storage is claimed and missing", claiming(HostProvider.minimal(),
                        EnumSet.of(Capability.DIRECT_STORAGE))),
                Mutant.of("P-11", "registration is claimed and missing", claiming(HostProvider.minimal(),
                        EnumSet.of(Capability.HOST_REGISTRATION))),
                Mutant.ofBackend("P-12", "registration is there and not claimed", HostProvider.remote(),
                        real -> new Forwarding.OfBackend(real) {
                            @Override
                            public Optional<HostRegistration> registerHost(MemorySegment memory, boolean readOnly) {
                                return HostProvider.copying().open(HostProvider.DEVICE, BackendOptions.defaults())
                                        .registerHost(memory, readOnly);
                            }
                        }));
    }

    private static DeviceInfo info(DeviceInfo real, Device device) {
        return new DeviceInfo(device, real.kind(), real.name(), real.totalBytes(), real.numaNode(),
                real.attributes());
    }

    private static Probe.Available probe(List<DeviceInfo> devices, Set<Capability> capabilities) {
        return new Probe.Available(devices, capabilities, Map.of());
    }

    private static Set<Capability> allCapabilities() {
        return ((Probe.Available) HostProvider.copying().probe()).capabilities();
    }

    private static List<DeviceInfo> devices() {
        return ((Probe.Available) HostProvider.copying().probe()).devices();
    }

    private static BackendProvider probing(Supplier<Probe> probe) {
        return new Forwarding.OfProvider(HostProvider.copying()) {
            @Override
            public Probe probe() {
                return probe.get();
            }
        };
    }

    private static BackendProvider claiming(BackendProvider base, Set<Capability> capabilities) {
        return new Forwarding.OfProvider(base) {
            @Override
            public Probe probe() {
                return ProbeMutants.probe(devices(), capabilities);
            }
        };
    }

    private static BackendProvider otherType() {
        return new Forwarding.OfProvider(HostProvider.copying()) {
            @Override
            public String deviceType() {
                return "other";
            }
        };
    }

    private static BackendProvider threadDependent() {
        Thread home = Thread.currentThread();
        return probing(() -> probe(devices(),
                Thread.currentThread() == home ? allCapabilities() : EnumSet.noneOf(Capability.class)));
    }

    private static BackendProvider nondescript() {
        Device device = new Device("gpu", 0);
        return new Forwarding.OfProvider(HostProvider.copying()) {
            @Override
            public String deviceType() {
                return "gpu";
            }

            @Override
            public Probe probe() {
                return ProbeMutants.probe(List.of(info(devices().getFirst(), device)), allCapabilities());
            }

            @Override
            public Backend open(Device wanted, BackendOptions options) {
                Backend real = super.open(wanted.equals(device) ? HostProvider.DEVICE : wanted, options);
                return new Forwarding.OfBackend(real) {
                    @Override
                    public DeviceInfo info() {
                        return ProbeMutants.info(super.info(), device);
                    }
                };
            }
        };
    }
}
