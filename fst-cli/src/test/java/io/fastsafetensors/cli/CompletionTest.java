package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.Prerequisite;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `fst completion`: each script knows what the command knows.
class CompletionTest {
    @TempDir
    private Path directory;

    private static String script(String shell) {
        Cli.Result result = Cli.run("completion", shell);
        assertEquals(0, result.status(), result.err());
        assertEquals(result, Cli.run("completion", shell), "the same each time");
        return result.out();
    }

    @Test
    void every_script_knows_every_command_and_option() {
        for (String shell : List.of("bash", "zsh", "fish")) {
            String script = script(shell);
            for (String command : Usage.names()) {
                assertTrue(script.contains(command), shell + ": " + command);
                Cli.run("help", command).out().lines().map(String::strip).filter(line -> line.startsWith("--"))
                        .map(line -> line.substring(2).split("[^a-z0-9-]", 2)[0])
                        .forEach(option -> assertTrue(script.contains(option), shell + ": " + option));
            }
            for (String word : List.of("tsv", "BF16", "F8_E4M3", "striped", "cuda:0", "prune")) {
                assertTrue(script.replace("\\", "").contains(word), shell + ": " + word);
            }
        }
    }

    @Test
    void another_shell_is_wrong_usage() {
        assertEquals(2, Cli.run("completion", "tcsh").status());
        assertEquals(2, Cli.run("completion").status());
    }

    /// What bash proposes for a command line whose last word is being typed.
    private List<String> proposals(String... words) throws IOException {
        Prerequisite.BASH.require();
        Path script = Files.writeString(directory.resolve("fst.bash"), script("bash"));
        String line = String.join(" ", words);
        return ChildProcess.of("bash", "--norc", "-c", "source '" + script + "'; cd '" + directory + "'; COMP_WORDS=("
                + line + (line.endsWith(" ") ? "''" : "") + "); COMP_CWORD=" + (words.length - 1) + "; COMP_LINE='"
                + line
                + "'; COMP_POINT=${#COMP_LINE}; $(complete -p fst | sed 's/.*-F \\([^ ]*\\).*/\\1/') 2>/dev/null;"
                + " printf '%s\\n' \"${COMPREPLY[@]}\"").run().succeeded().lines();
    }

    @Test
    void bash_completes_commands_options_values_and_files() throws IOException {
        Files.createFile(directory.resolve("model one.safetensors"));
        assertTrue(proposals("fst", "").containsAll(Usage.names()), proposals("fst", "").toString());
        assertEquals(List.of("convert", "completion"), proposals("fst", "co"));
        assertEquals(List.of("--drop-cache"), proposals("fst", "load", "--drop"));
        assertEquals(List.of("tsv"), proposals("fst", "ls", "--format", "ts"));
        assertEquals(List.of("BF16"), proposals("fst", "convert", "--dtype", "BF"));
        assertTrue(proposals("fst", "ls", "mod").contains("model one.safetensors"), proposals("fst", "ls", "mod")
                .toString());
        assertEquals(List.of("prune"), proposals("fst", "cache", "pr"));
        assertEquals(List.of("compare"), proposals("fst", "bench", "comp"));
        assertTrue(proposals("fst", "bench", "mod").contains("model one.safetensors"), proposals("fst", "bench", "mod")
                .toString());
        assertFalse(proposals("fst", "help", "").isEmpty());
    }

    @Test
    void bash_never_runs_what_a_name_says() throws IOException {
        String name = "$(touch ran)`touch ran`x";
        Files.createFile(directory.resolve(name));
        for (String command : List.of("verify", "bench", "convert", "load")) {
            assertTrue(proposals("fst", command, "").contains(name), proposals("fst", command, "").toString());
            assertFalse(Files.exists(directory.resolve("ran")), command);
        }
    }

    @Test
    void zsh_completes_in_a_terminal() throws IOException {
        Prerequisite.ZSH.require();
        Files.createFile(directory.resolve("model.safetensors"));
        Path script = Files.writeString(directory.resolve("_fst"), script("zsh"));
        ChildProcess.Result result = ChildProcess.of("zsh", "-f", "-c", "zmodload zsh/zpty; zpty z zsh -f -i; "
                + "zpty -w z \"PS1=; cd '" + directory + "'; fpath=('" + directory
                + "' \\$fpath); autoload -Uz compinit; "
                + "compinit -D -u; source '" + script
                + "'; zstyle ':completion:*' list-prompt ''; stty -echo; print ready\"; "
                + "repeat 200; do zpty -r -t z out && all+=$out; [[ $all == *$'\\n'ready* ]] && break; sleep 0.1; done; all=; "
                + "zpty -w -n z $'fst conver\\t --dtyp\\t BF\\tmode\\t\\n'; "
                + "repeat 200; do zpty -r -t z out && all+=$out; [[ $all == *'not found'* ]] && break; sleep 0.1; done; "
                + "print -r -- $all").run();
        String text = result.out().replaceAll("\u001b\\[[?0-9;]*[A-Za-z]|[\\r\\a]", "").replaceAll("[^\b]\b", "");
        assertTrue(text.replaceAll("[ =]+", " ").contains("fst convert --dtype BF16 model.safetensors"),
                result::toString);
    }

    @Test
    void fish_completes_commands_options_values_and_files() throws IOException {
        Prerequisite.FISH.require();
        Files.createFile(directory.resolve("model.safetensors"));
        Path script = Files.writeString(directory.resolve("fst.fish"), script("fish"));
        for (List<String> each : List.of(List.of("fst conv", "convert"), List.of("fst load --drop", "--drop-cache"),
                List.of("fst ls --format ts", "tsv"), List.of("fst convert --dtype BF1", "BF16"),
                List.of("fst ls mod", "model.safetensors"), List.of("fst cache pr", "prune"),
                List.of("fst bench comp", "compare"), List.of("fst bench mod", "model.safetensors"))) {
            ChildProcess.Result result = ChildProcess.of("fish", "--no-config", "-c", "cd '" + directory + "'; source '"
                    + script + "'; complete -C '" + each.getFirst() + "'").run().succeeded();
            assertEquals(List.of(each.getLast()), result.lines().stream().map(line -> line.split("\t", 2)[0]).toList(),
                    result::toString);
        }
    }
}
