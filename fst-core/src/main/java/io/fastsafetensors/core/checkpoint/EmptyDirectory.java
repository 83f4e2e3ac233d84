package io.fastsafetensors.core.checkpoint;

import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/// Explains why a directory holds no checkpoint, by the names of what it does hold.
final class EmptyDirectory {
    private static final int MOST_NAMED = 4;
    /// Directories that are looked into.
    private static final int MOST_OPENED = 32;
    private static final List<String> PICKLES = List.of(".bin", ".pt", ".pth", ".ckpt", ".pkl");

    private EmptyDirectory() {
    }

    /// What is there instead, and the way out; begins with a semicolon, and is empty if nothing is known.
    static String hint(List<StorageEntry> entries, Storage storage) {
        List<StorageEntry> visible = entries.stream().filter(entry -> !entry.name().startsWith("."))
                .sorted(Comparator.comparing(StorageEntry::name)).toList();
        List<StorageEntry> files =
                visible.stream().filter(entry -> entry.kind() != Storage.Kind.DIRECTORY).toList();
        List<String> parts = new ArrayList<>();
        for (StorageEntry entry : visible) {
            if (entry.kind() == Storage.Kind.DIRECTORY && parts.size() < MOST_OPENED && holdsTensors(entry, storage)) {
                parts.add(entry.name());
            }
        }
        if (!parts.isEmpty()) {
            return "; its directories hold some: open " + named(parts);
        }
        List<String> unfinished = named(files, name -> name.contains(".safetensors") && name.endsWith(".incomplete"));
        if (!unfinished.isEmpty()) {
            return "; " + named(unfinished) + " is of a download that did not end: download it again";
        }
        List<String> spelled = named(files, name -> name.toLowerCase(Locale.ROOT).endsWith(".safetensors")
                || name.endsWith(".sft"));
        if (!spelled.isEmpty()) {
            return "; " + named(spelled) + " may be one under another suffix: open the file itself";
        }
        List<String> pickles = named(files, name -> PICKLES.stream().anyMatch(name::endsWith));
        if (!pickles.isEmpty()) {
            return "; " + named(pickles)
                    + " is of PyTorch: load it there, and write it with safetensors.torch.save_file";
        }
        List<String> gguf = named(files, name -> name.endsWith(".gguf"));
        return gguf.isEmpty() ? ""
                : "; " + named(gguf) + " is of llama.cpp: download the model in the safetensors format";
    }

    private static boolean holdsTensors(StorageEntry directory, Storage storage) {
        try {
            return storage.list(directory.location()).stream()
                    .anyMatch(entry -> entry.kind() != Storage.Kind.DIRECTORY && !entry.name().startsWith(".")
                            && entry.name().endsWith(CheckpointName.SUFFIX));
        } catch (FstException e) {
            // A hint is no reason to fail for another reason.
            return false;
        }
    }

    private static List<String> named(List<StorageEntry> files, Predicate<String> wanted) {
        return files.stream().map(StorageEntry::name).filter(wanted).toList();
    }

    private static String named(List<String> names) {
        return names.stream().limit(MOST_NAMED).map(Printable::escape).collect(Collectors.joining(", "))
                + (names.size() > MOST_NAMED ? ", …" : "");
    }
}
