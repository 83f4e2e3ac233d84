package io.fastsafetensors.cli;

import io.fastsafetensors.error.FstException;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarFile;
import java.util.jar.Manifest;

/// The `fst` command. Exit status: 0 done, 1 the data or the machine says no, 2 wrong usage; an error is one line on
/// standard error.
public final class Main {
    private static final String STACKTRACE = "--stacktrace";
    private static final String HELP = "--help";
    private static final String SHORT_HELP = "-h";
    private static final int STDOUT = 1;
    private static final int STDERR = 2;
    private static final int DONE = 0;
    private static final int REFUSED = 1;
    private static final int WRONG_USAGE = 2;

    private Main() {
    }

    /// Runs a command and ends the JVM with its exit status.
    public static void main(String[] args) {
        Stdout stdout = new Stdout(new FileOutputStream(FileDescriptor.out));
        PrintStream out = new PrintStream(new BufferedOutputStream(stdout, 1 << 16), false, StandardCharsets.UTF_8);
        PrintStream err = new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
        int status = run(RawArguments.exact(args), new Screen(out, err, Terminal.of(STDOUT), Terminal.of(STDERR)));
        out.flush();
        String failure = stdout.failure();
        // A reader that has seen enough (head, less) is no error.
        if (failure != null && !stdout.isPipe()) {
            err.println("fst: cannot write the output: " + failure);
            status = Math.max(status, REFUSED);
        }
        if (status != DONE) {
            // Not on the way of success: exit loads the JDK's logging first.
            System.exit(status);
        }
    }

    /// Runs a command as if nobody watched.
    ///
    /// @param args the command line
    /// @param out takes results
    /// @param err takes errors
    /// @return the exit status
    public static int run(String[] args, PrintStream out, PrintStream err) {
        int status = run(args, Screen.unwatched(out, err));
        out.flush();
        return status;
    }

    private static int run(String[] args, Screen screen) {
        String name = args.length == 0 ? "" : args[0];
        List<String> rest = args.length == 0 ? List.of() : Arrays.asList(args).subList(1, args.length);
        return switch (name) {
            case "" -> {
                Usage.print(screen.err());
                yield WRONG_USAGE;
            }
            case "help", HELP, SHORT_HELP -> help(rest, screen);
            case "version", "--version", "-V" -> {
                screen.out().println("fst " + version());
                yield DONE;
            }
            default -> {
                Command command = Usage.command(name);
                yield command == null ? unknown(name, screen) : run(name, command, rest, screen);
            }
        };
    }

    /// The version in the manifest of the command's jar. A class path says it of the package, a module path does not.
    static String version() {
        String version = Main.class.getPackage().getImplementationVersion();
        if (version == null && Main.class.getModule().isNamed()) {
            try (InputStream manifest = Main.class.getModule().getResourceAsStream(JarFile.MANIFEST_NAME)) {
                version = manifest == null ? null
                        : new Manifest(manifest).getMainAttributes().getValue(Attributes.Name.IMPLEMENTATION_VERSION);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return version == null ? "(built from source)" : version;
    }

    /// `fst help` lists the commands, `fst help COMMAND` explains one.
    private static int help(List<String> names, Screen screen) {
        if (names.isEmpty() || names.getFirst().startsWith("-")) {
            Usage.print(screen.out());
            return DONE;
        }
        String name = names.getFirst();
        Command command = Usage.command(name);
        return command == null ? unknown(name, screen) : run(name, command, List.of(HELP), screen);
    }

    private static int unknown(String name, Screen screen) {
        String close = Usage.closest(name);
        screen.err().println("fst: unknown command \"" + SafeText.printable(name) + "\"; "
                + (close == null ? "" : "did you mean " + close + "? ") + "fst --help lists them");
        return WRONG_USAGE;
    }

    private static int run(String name, Command command, List<String> args, Screen screen) {
        Syntax syntax = syntax(command);
        try {
            if (asksForHelp(args)) {
                syntax.print(name, Usage.summary(name), screen.out());
                return DONE;
            }
            return command.run(syntax.parse(args), screen);
        } catch (UsageException e) {
            screen.err()
                    .println("fst " + name + ": " + SafeText.printable(String.valueOf(e.getMessage())) + " (see fst "
                            + name + " --help)");
            return WRONG_USAGE;
        } catch (RuntimeException | VirtualMachineError e) {
            // What was found before the error comes first.
            screen.out().flush();
            screen.err().println("fst " + name + ": " + message(e));
            if (args.contains(STACKTRACE)) {
                e.printStackTrace(screen.err());
            }
            return REFUSED;
        }
    }

    /// The arguments and options of a command, with those that every command takes.
    static Syntax syntax(Command command) {
        Syntax syntax = new Syntax();
        command.describe(syntax);
        return syntax.flag(STACKTRACE, "print the stack trace of an error").flag(HELP, "print this help");
    }

    private static boolean asksForHelp(List<String> args) {
        int operands = args.indexOf("--");
        List<String> options = operands < 0 ? args : args.subList(0, operands);
        return options.contains(HELP) || options.contains(SHORT_HELP);
    }

    /// An error in one line.
    static String message(Throwable e) {
        String text = String.valueOf(e.getMessage());
        if (e instanceof OutOfMemoryError) {
            text = "not enough memory for Java: " + text + "; FST_JAVA_OPTS=-Xmx2g gives it more";
        } else if (!(e instanceof FstException) && !(e instanceof CommandException)) {
            text = "internal error: " + e.getClass().getSimpleName() + ": " + text + " (" + STACKTRACE
                    + " shows where)";
        }
        return SafeText.printable(text.replace('\n', ' '));
    }
}
