package io.fastsafetensors.testkit.storage;

import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/// A storage with one defect.
///
/// @param rule the rule that must fail
/// @param defect what is wrong
/// @param provider the storage
/// @param memory the storage that it is made of
/// @param others rules that may fail besides; empty if every one may
public record StorageMutant(String rule, String defect, StorageProvider provider, MemoryProvider memory,
        Optional<Set<String>> others) {
    /// Every mutant.
    public static List<StorageMutant> all() {
        return Stream.of(PlaceMutants.all(), ByteMutants.all(), VersionMutants.all(), OpenFileMutants.all(),
                StorageFailureMutants.all(), AbilityMutants.all(), ListedMutants.all()).flatMap(List::stream).toList();
    }

    /// Rule and defect.
    @Override
    public String toString() {
        return rule + ": " + defect;
    }

    /// The same; these rules may fail besides.
    StorageMutant besides(String... rules) {
        return new StorageMutant(rule, defect, provider, memory, Optional.of(Set.of(rules)));
    }

    /// The same; any other rule may fail besides.
    StorageMutant amongOthers() {
        return new StorageMutant(rule, defect, provider, memory, Optional.empty());
    }

    static StorageMutant of(String rule, String defect, UnaryOperator<StorageProvider> broken) {
        return of(rule, defect, MemoryProvider.full(), broken);
    }

    static StorageMutant of(String rule, String defect, MemoryProvider memory,
            UnaryOperator<StorageProvider> broken) {
        return new StorageMutant(rule, defect, broken.apply(memory), memory, Optional.of(Set.of()));
    }

    static StorageMutant ofStorage(String rule, String defect, UnaryOperator<Storage> broken) {
        return of(rule, defect, memory -> storages(memory, broken));
    }

    static StorageProvider storages(StorageProvider base, UnaryOperator<Storage> broken) {
        return new StorageForwarding.OfProvider(base) {
            @Override
            public Storage open(StorageOptions options) {
                return broken.apply(super.open(options));
            }
        };
    }

    /// Other files around those that are opened.
    static StorageMutant ofFile(String rule, String defect, UnaryOperator<StorageFile> broken) {
        return ofFile(rule, defect, (_, file) -> broken.apply(file));
    }

    /// As above, with the storage that opens them.
    static StorageMutant ofFile(String rule, String defect, BiFunction<Storage, StorageFile, StorageFile> broken) {
        return ofStorage(rule, defect, storage -> new StorageForwarding.OfStorage(storage) {
            @Override
            public StorageFile open(Location file) {
                return broken.apply(real, super.open(file));
            }
        });
    }

    /// A read in place of [StorageFile#read].
    interface Read {
        long run(StorageFile real, long offset, MemorySegment target, long targetOffset, long bytes);
    }

    static StorageMutant ofRead(String rule, String defect, Read read) {
        return ofFile(rule, defect, file -> reading(file, read));
    }

    static StorageFile reading(StorageFile file, Read read) {
        return new StorageForwarding.OfFile(file) {
            @Override
            public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
                return read.run(real, offset, target, targetOffset, bytes);
            }
        };
    }
}
