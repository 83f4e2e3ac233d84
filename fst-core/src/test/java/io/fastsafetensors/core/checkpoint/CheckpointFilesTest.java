package io.fastsafetensors.core.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.core.storage.TestSources;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointFilesTest {
    @TempDir
    Path directory;

    @Test
    void file_is_itself() throws IOException {
        for (String name : List.of("m.safetensors", "blob-without-suffix")) {
            Path file = create(name);
            assertEquals(
                    new CheckpointFiles(Location.of(file), Optional.empty(), Optional.empty(), locations(file),
                            List.of()),
                    resolve(file));
        }
    }

    @Test
    void relative_file_stays_relative() throws IOException {
        // Maven runs tests in the module's directory.
        Path file = Path.of("pom.xml");
        assertEquals(
                new CheckpointFiles(Location.of(file), Optional.empty(), Optional.empty(), locations(file), List.of()),
                resolve(file));
    }

    @Test
    void json_file_is_an_index() throws IOException {
        for (String name : List.of("model.safetensors.index.json", "any.json")) {
            Path file = create(name);
            assertEquals(
                    new CheckpointFiles(Location.of(file), Optional.of(Location.of(file)),
                            Optional.of(Location.of(directory)),
                            List.of(), List.of()),
                    resolve(file));
        }
    }

    @Test
    void directory_gives_its_files_by_name() throws IOException {
        Path b = create("b.2.safetensors");
        Path a = create("b.1.safetensors");
        Path third = create("b.10.safetensors");
        create("b.3.safetensors");
        create("b.4.safetensors");
        create("b.5.safetensors");
        create("b.6.safetensors");
        create("b.7.safetensors");
        create("b.8.safetensors");
        create("b.9.safetensors");
        create(".hidden.safetensors");
        create("c.safetensors.tmp");
        create("config.json");
        create("pytorch_model.bin.index.json");
        Files.createDirectories(directory.resolve("d.safetensors"));
        List<Location> files = resolve(directory).files();
        assertEquals(locations(a, b), files.subList(0, 2));
        assertEquals(Location.of(third), files.getLast());
        assertEquals(10, files.size());
        assertEquals(List.of(), resolve(directory).others());
    }

    @Test
    void directory_with_an_index_gives_the_index() throws IOException {
        Path other = create("a.safetensors");
        create(".b.safetensors.index.json");
        Path index = create("model.safetensors.index.json");
        assertEquals(new CheckpointFiles(Location.of(directory), Optional.of(Location.of(index)),
                Optional.of(Location.of(directory)), List.of(), locations(other)),
                resolve(directory));
    }

    @Test
    void several_indexes_are_named() throws IOException {
        create("a.safetensors.index.json");
        create("b.safetensors.index.json");
        FormatException e = assertThrows(FormatException.class, () -> resolve(directory));
        assertEquals(FormatError.AMBIGUOUS_CHECKPOINT, e.error());
        assertTrue(e.getMessage().contains("a.safetensors.index.json, b.safetensors.index.json"), e.getMessage());
    }

    @Test
    void dangling_link_is_left_to_who_opens_it() throws IOException {
        Path link = Files.createSymbolicLink(directory.resolve("m.safetensors"), Path.of("nowhere"));
        assertEquals(locations(link), resolve(directory).files());
    }

    @Test
    void empty_directory_holds_no_checkpoint() {
        assertError(FormatError.NO_CHECKPOINT, directory);
    }

    @Test
    void missing_path_is_a_storage_error() {
        Path missing = directory.resolve("missing");
        StorageException e = assertThrows(StorageException.class, () -> resolve(missing));
        assertTrue(e.getMessage().contains(missing.toString()), e.getMessage());
    }

    @Test
    void cache_folder_gives_the_snapshot_of_main() throws IOException {
        Path folder = directory.resolve("models--org--name");
        create("models--org--name/blobs/0123");
        createSnapshot(folder, "aaaa");
        Path snapshot = createSnapshot(folder, "bbbb");
        Path main = create("models--org--name/refs/main");
        for (String text : List.of("bbbb", "bbbb\n")) {
            Files.writeString(main, text);
            assertEquals(
                    new CheckpointFiles(Location.of(folder), Optional.empty(), Optional.empty(),
                            locations(snapshot.resolve("model.safetensors")), List.of()),
                    resolve(folder));
        }
    }

    @Test
    void cache_folder_gives_its_only_snapshot() throws IOException {
        Path folder = directory.resolve("models--org--name");
        create("models--org--name/blobs/0123");
        Path snapshot = createSnapshot(folder, "aaaa");
        assertEquals(locations(snapshot.resolve("model.safetensors")), resolve(folder).files());
        Path main = create("models--org--name/refs/main");
        Files.writeString(main, "cccc");
        assertEquals(locations(snapshot.resolve("model.safetensors")), resolve(folder).files());
    }

    @Test
    void reference_never_leads_out_of_the_cache() throws IOException {
        Path folder = directory.resolve("models--org--name");
        create("models--org--name/blobs/0123");
        createSnapshot(folder, "aaaa");
        createSnapshot(folder, "bbbb");
        create("outside/model.safetensors");
        Path main = create("models--org--name/refs/main");
        for (String text : List.of("../../outside", directory + "/outside", "..", "", "x".repeat(100_000), "aaaa\0")) {
            Files.writeString(main, text);
            assertError(FormatError.NO_CHECKPOINT, folder);
        }
        Files.delete(main);
        assertError(FormatError.NO_CHECKPOINT, folder);
    }

    @Test
    void empty_snapshot_holds_no_checkpoint() throws IOException {
        Path folder = directory.resolve("models--org--name");
        Files.createDirectories(folder.resolve("snapshots"));
        assertError(FormatError.NO_CHECKPOINT, folder);
        Files.createDirectories(folder.resolve("snapshots/aaaa"));
        assertError(FormatError.NO_CHECKPOINT, folder);
    }

    @Test
    void list_is_taken_as_it_is() {
        List<Location> files = new ArrayList<>(locations(directory.resolve("b"), directory.resolve("a")));
        CheckpointFiles taken = TestSources.using(sources -> CheckpointFiles.of(files, sources));
        assertEquals(new CheckpointFiles(files.getFirst(), Optional.empty(), Optional.empty(), List.copyOf(files),
                List.of()), taken);
        files.clear();
        assertEquals(2, taken.files().size());
    }

    @Test
    void empty_list_holds_no_checkpoint() {
        FormatException e = assertThrows(FormatException.class,
                () -> TestSources.using(sources -> CheckpointFiles.of(List.of(), sources)));
        assertEquals(FormatError.NO_CHECKPOINT, e.error());
    }

    @Test
    void a_variant_is_chosen_by_the_same_order() throws IOException {
        Path plain = create("model.safetensors");
        Path single = create("model.fp16.safetensors");
        create("other.fp16.safetensors");
        assertEquals(locations(plain), resolve(directory).files());
        assertEquals(locations(single), resolve(directory, "fp16").files());
        assertEquals(2, resolve(directory, "fp16").others().size());
        Path first = create("model.bf16-00001-of-00002.safetensors");
        Path second = create("model-00002-of-00002.bf16.safetensors");
        assertEquals(locations(first, second), resolve(directory, "bf16").files());
        for (String name : List.of("model.safetensors.index.ema.json", "x.nf4.safetensors.index.json",
                "x.safetensors.int8.index.json")) {
            Path index = create(name);
            String variant = name.replaceAll(".*[.](ema|nf4|int8)[.].*", "$1");
            assertEquals(Optional.of(Location.of(index)), resolve(directory, variant).index());
        }
        FormatException e = assertThrows(FormatException.class, () -> resolve(directory, "fp"));
        assertEquals(FormatError.NO_CHECKPOINT, e.error());
        assertTrue(e.getMessage().contains("\"fp\"") && e.getMessage().contains("model.fp16.safetensors"),
                e.getMessage());
    }

    @Test
    void what_is_missing_or_to_choose_from_is_named() throws IOException {
        create("model-00001-of-00003.safetensors");
        create("model-00003-of-00003.safetensors");
        FormatException missing = assertThrows(FormatException.class, () -> resolve(directory));
        assertTrue(missing.getMessage().contains("model-00002-of-00003.safetensors is not there"),
                missing.getMessage());
        create("vae-00001-of-00001.safetensors");
        FormatException several = assertThrows(FormatException.class, () -> resolve(directory));
        assertTrue(several.getMessage().contains("model-*-of-00003.safetensors, vae-*-of-00001.safetensors")
                && several.getMessage().contains("variant"), several.getMessage());
    }

    @Test
    void a_directory_without_a_checkpoint_says_what_it_holds_instead() throws IOException {
        assertHint("pickles", "pytorch_model.bin is of PyTorch", "pickles/pytorch_model.bin", "pickles/config.json");
        assertHint("gguf", "m.gguf is of llama.cpp", "gguf/m.gguf");
        assertHint("parts", "open text_encoder, unet", "parts/unet/x.safetensors", "parts/text_encoder/y.safetensors",
                "parts/scheduler/config.json", "parts/.cache/z.safetensors");
        assertHint("upper", "MODEL.SAFETENSORS may be one", "upper/MODEL.SAFETENSORS");
        assertHint("unfinished", "a download that did not end", "unfinished/m.safetensors.1.incomplete");
    }

    private void assertHint(String folder, String hint, String... files) throws IOException {
        for (String file : files) {
            create(file);
        }
        FormatException e = assertThrows(FormatException.class, () -> resolve(directory.resolve(folder)));
        assertEquals(FormatError.NO_CHECKPOINT, e.error());
        assertTrue(e.getMessage().contains(hint), e.getMessage());
    }

    private static CheckpointFiles resolve(Path path, String variant) {
        return TestSources.using(sources -> CheckpointFiles.resolve(Location.of(path), sources,
                OpenOptions.defaults().withVariant(variant)));
    }

    private static CheckpointFiles resolve(Path path) {
        return TestSources
                .using(sources -> CheckpointFiles.resolve(Location.of(path), sources, OpenOptions.defaults()));
    }

    private static List<Location> locations(Path... paths) {
        return Arrays.stream(paths).map(Location::of).toList();
    }

    private static void assertError(FormatError error, Path path) {
        assertEquals(error, assertThrows(FormatException.class, () -> resolve(path)).error());
    }

    private Path create(String name) throws IOException {
        Path file = directory.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, "");
    }

    // As the cache makes it: the file is a link to a blob.
    private static Path createSnapshot(Path folder, String hash) throws IOException {
        Path snapshot = Files.createDirectories(folder.resolve("snapshots").resolve(hash));
        Files.createSymbolicLink(snapshot.resolve("model.safetensors"), Path.of("../../blobs/0123"));
        return snapshot;
    }
}
