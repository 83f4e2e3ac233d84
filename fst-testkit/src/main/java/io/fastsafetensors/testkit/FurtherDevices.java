package io.fastsafetensors.testkit;

import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.InvocationInterceptor;
import org.junit.jupiter.api.extension.ReflectiveInvocationContext;
import org.opentest4j.AssertionFailedError;
import org.opentest4j.TestAbortedException;

/// Runs each rule of a [RuleGroup] again on every further device of the suite, with samples. Its failure names the device;
/// where the rule passed on the first device, what ends it without a verdict on another one changes nothing.
public final class FurtherDevices implements InvocationInterceptor {
    /// For the test engine.
    public FurtherDevices() {
    }

    @Override
    public void interceptTestMethod(Invocation<Void> invocation, ReflectiveInvocationContext<Method> call,
            ExtensionContext context) throws Throwable {
        invocation.proceed();
        if (call.getTarget().orElse(this) instanceof RuleGroup group) {
            for (Device device : further(group)) {
                on(device, group, call);
            }
        }
    }

    @Override
    @SuppressWarnings("unchecked") // The test factories of the rules return streams of tests.
    public <T> T interceptTestFactoryMethod(Invocation<T> invocation, ReflectiveInvocationContext<Method> call,
            ExtensionContext context) throws Throwable {
        T tests = invocation.proceed();
        if (!(tests instanceof Stream<?> first) || !(call.getTarget().orElse(this) instanceof RuleGroup group)) {
            return tests;
        }
        Stream<DynamicTest> more = further(group).stream()
                .map(device -> DynamicTest.dynamicTest("on " + device, () -> on(device, group, call)));
        return (T) Stream.concat((Stream<DynamicTest>) first, more);
    }

    private static List<Device> further(RuleGroup group) {
        return group.suite.provider().probe().found().map(found -> group.suite.devices(found)).orElse(List.of())
                .stream().filter(device -> !device.equals(group.bench.device)).toList();
    }

    private static void on(Device device, RuleGroup group, ReflectiveInvocationContext<Method> call) throws Throwable {
        Object[] arguments = call.getArguments().toArray();
        for (int i = 0; i < arguments.length; i++) {
            arguments[i] = arguments[i] instanceof Path folder ? folderOf(device, folder) : arguments[i];
        }
        try {
            group.moveTo(device);
            call.getExecutable().setAccessible(true);
            if (call.getExecutable().invoke(group, arguments) instanceof Stream<?> tests) {
                for (Object test : tests.toList()) {
                    ((DynamicTest) test).getExecutable().execute();
                }
            }
        } catch (InvocationTargetException e) {
            judge(device, e.getCause() == null ? e : e.getCause());
        } catch (Throwable e) {
            judge(device, e);
        }
    }

    private static void judge(Device device, Throwable thrown) {
        if (!(thrown instanceof TestAbortedException)) {
            throw new AssertionFailedError("on " + device + ": " + thrown.getMessage(), thrown);
        }
    }

    static Path folderOf(Device device, Path folder) throws IOException {
        return Files.createDirectories(folder.resolve(device.type() + device.index()));
    }
}
