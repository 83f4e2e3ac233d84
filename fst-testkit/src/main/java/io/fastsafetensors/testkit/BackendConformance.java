package io.fastsafetensors.testkit;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/// The conformance suite of backends: rules that every backend obeys, as tests. The whole integration of a backend:
///
/// ```java
/// class AcmeConformanceTest extends BackendConformance {
///     @Override
///     protected BackendProvider provider() {
///         return new AcmeBackendProvider();
///     }
/// }
/// ```
///
/// Each rule has an id; RULES.md lists them all, with what to look at if one fails. What the probe does not claim is
/// not asked: such a rule is aborted with the reason, and so is everything where the hardware is missing, unless the
/// system property `fst.testkit.require` (names of providers separated by commas, or `all`) makes that a failure.
/// Further properties: `fst.seed` repeats a run's random numbers, `fst.testkit.effort=quick` takes samples only,
/// `fst.testkit.report` names a folder for a report of what was run, what not, and why.
///
/// The tests open and close the backend for each rule, use up to 4.1 GiB of device memory and some MiB of temporary
/// files, and start threads. They may run beside other test classes, not beside one another.
@Timeout(value = 5, unit = TimeUnit.MINUTES)
@ExtendWith({RuleReport.class, FurtherDevices.class})
public abstract class BackendConformance {
    /// For subclasses.
    protected BackendConformance() {
    }

    /// The provider under test. Called for each rule; a new one each time is welcome.
    protected abstract BackendProvider provider();

    /// The device under test; the first one that the probe lists unless overridden.
    ///
    /// @param available what the probe said
    protected Device device(Probe.Available available) {
        return available.devices().getFirst().device();
    }

    /// The devices that each rule is tried on, [#device(Probe.Available)] and then, with samples, the others; every one that
    /// the probe lists unless overridden.
    ///
    /// @param available what the probe said
    protected List<Device> devices(Probe.Available available) {
        return available.devices().stream().map(DeviceInfo::device).toList();
    }

    /// How much to try; what the system property `fst.testkit.effort` says unless overridden.
    protected Effort effort() {
        return Effort.configured();
    }

    /// What provokes failures of the device under test; without it the rules about failed work are skipped.
    protected Optional<FailureHook> failures() {
        return Optional.empty();
    }

    /// Why the rules about files (group F) are not run: a backend whose tests leave out fst-core on purpose says so here.
    /// Otherwise a missing loader, or one that does not find the backend, is a failure.
    protected Optional<String> withoutLoader() {
        return Optional.empty();
    }

    @Nested
    @DisplayName("P: probe and open")
    final class Probing extends ProbeRules {
        Probing() {
            super(BackendConformance.this);
        }
    }

    @Nested
    @DisplayName("A: allocation")
    final class Allocation extends AllocationRules {
        Allocation() {
            super(BackendConformance.this);
        }
    }

    @Nested
    @DisplayName("C: staging and copies")
    final class Copies extends CopyRules {
        Copies() {
            super(BackendConformance.this);
        }
    }

    @Nested
    @DisplayName("O: order and fences")
    final class Order extends OrderRules {
        Order() {
            super(BackendConformance.this);
        }
    }

    @Nested
    @DisplayName("M: alignment")
    final class Alignment extends AlignmentRules {
        Alignment() {
            super(BackendConformance.this);
        }
    }

    @Nested
    @DisplayName("L: lifetime")
    final class Lifetime extends LifetimeRules {
        Lifetime() {
            super(BackendConformance.this);
        }
    }

    @Nested
    @DisplayName("N: concurrency")
    final class Concurrency extends ConcurrencyRules {
        Concurrency() {
            super(BackendConformance.this);
        }
    }

    @Nested
    @DisplayName("K: conversion")
    final class Conversion extends ConversionRules {
        Conversion() {
            super(BackendConformance.this);
        }
    }

    @Nested
    @DisplayName("G: gather")
    final class Gathering extends GatherRules {
        Gathering() {
            super(BackendConformance.this);
        }
    }

    @Nested
    @DisplayName("D: direct storage")
    final class Direct extends DirectRules {
        Direct() {
            super(BackendConformance.this);
        }
    }

    @Nested
    @DisplayName("E: errors")
    final class Errors extends ErrorRules {
        Errors() {
            super(BackendConformance.this);
        }
    }

    @Nested
    @DisplayName("F: files through the loader")
    final class Loading extends FileRules {
        Loading() {
            super(BackendConformance.this);
        }
    }
}
