package io.fastsafetensors.core.checkpoint;

import io.fastsafetensors.core.checkpoint.CheckpointName.Numbers;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.types.Location;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Chooses, by their names alone, the files of a directory that make one checkpoint: an index before single files, those
/// before numbered shards. What has no order is an error that names the ways to choose, and a directory without a
/// checkpoint is explained by what it does hold.
///
/// By names alone, because a directory is listed once and opening each file of it would cost a request each on a remote
/// storage; what the names promise is checked when the chosen files are read.
final class DirectoryChoice {
    /// The stem that most writers give a model's files.
    private static final String MAIN = "model";
    /// Stems of files that are a whole checkpoint by themselves, in the order in which they are taken where a directory
    /// holds several.
    private static final List<String> SINGLE_FILES =
            List.of(MAIN, "diffusion_pytorch_model", "adapter_model", "consolidated");
    private static final int MOST_NAMED = 8;
    private static final int MOST_HINTED = 4;
    /// Directories with tensors after which no more are looked into, since each look may be a request to a server.
    private static final int MOST_OPENED = 32;
    private static final List<String> PICKLES = List.of(".bin", ".pt", ".pth", ".ckpt", ".pkl");

    private final Location directory;
    private final List<CheckpointName> names;

    private DirectoryChoice(Location directory, List<CheckpointName> names) {
        this.directory = directory;
        this.names = names;
    }

    /// The index, alone, or the files in their order.
    ///
    /// @param names what the directory holds, by name; one at least
    /// @throws FormatException MissingShard if a shard of the chosen set is not there, AmbiguousCheckpoint if several
    ///         checkpoints are there and none goes before the others
    static List<CheckpointName> choose(Location directory, List<CheckpointName> names) {
        return new DirectoryChoice(directory, names).choose();
    }

    /// The first of: the index of `model`, the only index (those of a variant count where there is no other), the file
    /// of a known name; numbered files only where no index says which shards count.
    private List<CheckpointName> choose() {
        List<CheckpointName> indexes = names.stream().filter(CheckpointName::isIndex).toList();
        List<CheckpointName> plain = indexes.stream().filter(index -> !index.isVariantIndex()).toList();
        List<CheckpointName> best = plain.stream().filter(index -> index.stem().equals(MAIN)).toList();
        for (List<CheckpointName> found : List.of(best, plain.isEmpty() ? indexes : plain)) {
            if (found.size() == 1) {
                return found;
            }
        }
        List<CheckpointName> files = names.stream().filter(name -> !name.isIndex()).toList();
        for (String stem : SINGLE_FILES) {
            List<CheckpointName> found =
                    files.stream().filter(file -> file.number() < 0 && file.stem().equals(stem)).toList();
            if (found.size() == 1) {
                return found;
            }
        }
        if (!indexes.isEmpty()) {
            throw ambiguous(indexes.stream().map(CheckpointName::name).toList());
        }
        return inSets(files);
    }

    /// Of numbered files: the one set of shards that there is, or files that differ by their number alone.
    private List<CheckpointName> inSets(List<CheckpointName> files) {
        Map<String, List<CheckpointName>> sets = new LinkedHashMap<>();
        for (CheckpointName file : files) {
            if (file.number() >= 0) {
                sets.computeIfAbsent(file.set(), _ -> new ArrayList<>()).add(file);
            }
        }
        if (sets.size() == 1) {
            return whole(sets.values().iterator().next());
        }
        if (sets.isEmpty()) {
            List<CheckpointName> row = row(files);
            if (row != null) {
                return row;
            }
        }
        throw ambiguous(files.stream().map(CheckpointName::setName).distinct().toList());
    }

    /// The shards in the order of their numbers, which begin with 0 or 1.
    private List<CheckpointName> whole(List<CheckpointName> set) {
        if (set.getFirst().rank() >= 0) {
            // A rank without a tensor for some file has not written it: whether all is there, the parts of tensors say.
            return set.stream().sorted(Comparator.comparingInt(CheckpointName::rank)
                    .thenComparingInt(CheckpointName::number)).toList();
        }
        Map<Integer, CheckpointName> byNumber = new TreeMap<>();
        set.forEach(shard -> byNumber.putIfAbsent(shard.number(), shard));
        int first = byNumber.containsKey(0) ? 0 : 1;
        int count = set.getFirst().count();
        List<CheckpointName> shards = new ArrayList<>();
        List<String> missing = new ArrayList<>();
        for (int number = first; number < first + count && missing.size() <= MOST_NAMED; number++) {
            CheckpointName shard = byNumber.get(number);
            if (shard == null) {
                missing.add(set.getFirst().sibling(number));
            } else {
                shards.add(shard);
            }
        }
        if (!missing.isEmpty() || shards.isEmpty()) {
            throw new FormatException(FormatError.MISSING_SHARD, "by their names there are " + count + " shards, and "
                    + listed(missing) + " not there; download what is missing, or open a file by itself",
                    directory.where());
        }
        return shards;
    }

    /// The files if their names differ by one number that counts them; null if not.
    private static @Nullable List<CheckpointName> row(List<CheckpointName> files) {
        if (files.size() == 1) {
            return files;
        }
        Numbers first = Numbers.of(files.getFirst().stem());
        int place = first.difference(Numbers.of(files.get(1).stem()));
        Map<Long, CheckpointName> byNumber = new TreeMap<>();
        for (CheckpointName file : files) {
            Numbers numbers = Numbers.of(file.stem());
            boolean same = first.equals(numbers);
            if (place < 0 || (!same && first.difference(numbers) != place)) {
                return null;
            }
            byNumber.put(numbers.values().get(place), file);
        }
        List<Long> numbers = List.copyOf(byNumber.keySet());
        boolean whole = numbers.size() == files.size()
                && numbers.getLast() - numbers.getFirst() == numbers.size() - 1;
        return whole ? List.copyOf(byNumber.values()) : null;
    }

    /// Nothing is guessed where two checkpoints are in one place: a wrong model loads as smoothly as the right one.
    private FormatException ambiguous(List<String> choices) {
        return new FormatException(FormatError.AMBIGUOUS_CHECKPOINT, "the directory holds several checkpoints: "
                + choices.stream().limit(MOST_NAMED).map(Printable::escape).collect(Collectors.joining(", "))
                + (choices.size() > MOST_NAMED ? " and " + (choices.size() - MOST_NAMED) + " more" : "")
                + "; open the file or the index that is meant, give a list of files, or name a variant (such as fp16)",
                directory.where());
    }

    /// The first few, and whether there are more.
    private static String listed(List<String> missing) {
        String text = missing.stream().limit(MOST_NAMED).map(Printable::escape).collect(Collectors.joining(", "));
        return text + (missing.size() > MOST_NAMED ? " and more are" : missing.size() == 1 ? " is" : " are");
    }

    /// The clause that says what a directory holds instead of a checkpoint, and the way out; begins with a semicolon, and
    /// is empty if nothing is known.
    static String insteadOfCheckpoint(List<StorageEntry> entries, Storage storage) {
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

    /// A directory that cannot be listed holds nothing as far as a hint goes.
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
        return names.stream().limit(MOST_HINTED).map(Printable::escape).collect(Collectors.joining(", "))
                + (names.size() > MOST_HINTED ? ", …" : "");
    }
}
