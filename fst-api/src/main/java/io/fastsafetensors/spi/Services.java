package io.fastsafetensors.spi;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Finds the implementations of fst's services from any thread: by the class loader of the code that asks, then by the
/// one of fst-api, then by the thread's context class loader. In an application server, a plugin or a Spring Boot jar
/// the context class loader of a pool's thread sees none of the application's classes, and the class loader of fst may
/// see none of the backends that the application brought.
public final class Services {
    /// What to do about an archive whose service files were not merged.
    public static final String MERGING = "an archive made of several jars keeps its providers only if their"
            + " META-INF/services files are merged (Maven Shade: ServicesResourceTransformer, Gradle Shadow:"
            + " mergeServiceFiles(), Maven Assembly: metaInf-services)";

    private Services() {
    }

    /// An implementation, or why there is none.
    ///
    /// @param className its class; of an unreadable services file, what it was looked for as
    /// @param service the implementation
    /// @param error why it cannot be constructed
    /// @param <S> the service
    public record Found<S>(String className, Optional<S> service, Optional<Throwable> error) {
    }

    /// Every implementation, each class once, in the order of the class loaders. One that cannot be constructed is
    /// listed with its error and keeps no other from being found.
    ///
    /// @param service one of the services that fst-api defines
    /// @param asking the class that asks; its class loader comes first
    public static <S> List<Found<S>> all(Class<S> service, Class<?> asking) {
        List<Found<S>> found = new ArrayList<>();
        Set<Object> seen = new LinkedHashSet<>();
        for (ClassLoader loader : loaders(service, asking)) {
            collect(ServiceLoader.load(service, loader), seen, found::add);
        }
        return found;
    }

    /// The first implementation that can be constructed.
    ///
    /// @param service one of the services that fst-api defines
    /// @param asking the class that asks; its class loader comes first
    public static <S> Optional<S> first(Class<S> service, Class<?> asking) {
        return all(service, asking).stream().flatMap(found -> found.service().stream()).findFirst();
    }

    /// Whether a class is on the class path or module path of one of the class loaders that are asked for services.
    ///
    /// @param className its binary name
    /// @param asking the class that asks
    public static boolean isPresent(String className, Class<?> asking) {
        return loaders(Services.class, asking).stream().anyMatch(loader -> find(className, loader) != null);
    }

    private static Set<ClassLoader> loaders(Class<?> service, Class<?> asking) {
        Set<ClassLoader> loaders = new LinkedHashSet<>();
        for (Class<?> each : List.of(asking, Services.class)) {
            loaders.add(Objects.requireNonNullElseGet(each.getClassLoader(), ClassLoader::getSystemClassLoader));
        }
        ClassLoader context = Thread.currentThread().getContextClassLoader();
        ClassLoader last = context == null ? ClassLoader.getSystemClassLoader() : context;
        // Providers of another copy of fst-api are none of ours.
        if (service.equals(find(service.getName(), last))) {
            loaders.add(last);
        }
        return loaders;
    }

    private static @Nullable Class<?> find(String className, ClassLoader loader) {
        try {
            return Class.forName(className, false, loader);
        } catch (ClassNotFoundException | LinkageError e) {
            return null;
        }
    }

    private static <S> void collect(ServiceLoader<S> loader, Set<Object> seen, Consumer<Found<S>> found) {
        var providers = loader.stream().iterator();
        String lastFailure = "";
        while (true) {
            ServiceLoader.Provider<S> provider;
            try {
                if (!providers.hasNext()) {
                    return;
                }
                provider = providers.next();
            } catch (ServiceConfigurationError | RuntimeException | LinkageError e) {
                if (e.toString().equals(lastFailure)) {
                    // Nothing can be read here: the iterator would say so for ever.
                    return;
                }
                lastFailure = e.toString();
                if (seen.add(lastFailure)) {
                    found.accept(new Found<>("(a services file)", Optional.empty(), Optional.of(e)));
                }
                continue;
            }
            if (seen.add(provider.type())) {
                found.accept(constructed(provider));
            }
        }
    }

    private static <S> Found<S> constructed(ServiceLoader.Provider<S> provider) {
        String name = provider.type().getName();
        try {
            return new Found<>(name, Optional.of(provider.get()), Optional.empty());
        } catch (ServiceConfigurationError | RuntimeException | LinkageError e) {
            return new Found<>(name, Optional.empty(), Optional.of(e));
        }
    }
}
