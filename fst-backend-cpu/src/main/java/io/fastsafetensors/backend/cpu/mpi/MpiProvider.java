package io.fastsafetensors.backend.cpu.mpi;

import io.fastsafetensors.backend.cpu.mpi.ffm.Mpi;
import io.fastsafetensors.backend.cpu.mpi.ffm.MpiFfm;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.types.Device;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The transport `mpi`: Open MPI 4 or 5, between processes that mpirun or srun started; moves host memory. The library is
/// started by the first group, unless the program has started it with `MPI_THREAD_MULTIPLE`, and ended with the JVM once
/// every group was closed. Needs no property of the bootstrap.
///
/// When a process dies, mpirun ends the whole job, unless it was told `--enable-recovery`; then the other ranks see it by
/// the timeout.
public final class MpiProvider implements ProcessGroupProvider {
    static final String NAME = "mpi";
    private static final int OLDEST = 4;
    private static final Pattern VERSION = Pattern.compile("Open MPI v(\\d+)\\..*");

    private final Supplier<Installation> installation;

    /// Costs nothing; [#unavailable()] loads the library.
    public MpiProvider() {
        this(() -> ThisMachine.FOUND);
    }

    /// @param installation always the same one
    MpiProvider(Supplier<Installation> installation) {
        this.installation = installation;
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public Set<String> deviceTypes() {
        return Set.of(Device.CPU.type());
    }

    @Override
    public Optional<String> unavailable() {
        return Optional.ofNullable(installation.get().obstacle);
    }

    /// The bootstrap's rank and size are those of `MPI_COMM_WORLD`.
    ///
    /// @throws UnsupportedFeatureException if there is no Open MPI
    @Override
    public ProcessGroup join(Bootstrap bootstrap) {
        Installation found = installation.get();
        if (found.process == null) {
            throw new UnsupportedFeatureException("the transport mpi does not work here: " + found.obstacle,
                    Where.backend(NAME));
        }
        return new MpiJoin(found.process).join(bootstrap);
    }

    /// What there is on this machine: the library, or why not.
    record Installation(@Nullable MpiProcess process, @Nullable String obstacle) {
        static Installation find(Supplier<Mpi> binding) {
            try {
                Mpi mpi = binding.get();
                String[] version = {""};
                new MpiCalls(mpi).run("MPI_Get_library_version", each -> each.MPI_Get_library_version(version));
                Matcher release = VERSION.matcher(version[0].lines().findFirst().orElse(""));
                if (release.matches() && Integer.parseInt(release.group(1)) >= OLDEST) {
                    return new Installation(new MpiProcess(mpi), null);
                }
                return missing("libmpi is " + version[0].strip());
            } catch (ExceptionInInitializerError e) {
                return missing(String.valueOf(e.getCause() == null ? e : e.getCause().getMessage()));
            } catch (LinkageError | UnsupportedFeatureException | IllegalCallerException | BackendException e) {
                return missing(String.valueOf(e.getMessage()));
            }
        }

        private static Installation missing(String why) {
            return new Installation(null, why + "; Open MPI 4 or 5 is needed");
        }
    }

    private static final class ThisMachine {
        static final Installation FOUND = find();

        private static Installation find() {
            Installation found = Installation.find(MpiFfm::new);
            MpiProcess process = found.process;
            if (process != null) {
                Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().name("fst-mpi-end").unstarted(process::end));
            }
            return found;
        }
    }
}
