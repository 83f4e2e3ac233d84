package io.fastsafetensors.backend.cuda.gds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.cuda.gds.ffm.CuFileError;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class CuFileStatusTest {
    private static final FakeContext CUDA = new FakeContext();

    private static String text(int err, int cuErr) {
        return CuFileStatus.describe("cuFileX", new CuFileError(err, cuErr), CUDA);
    }

    @Test
    void codes_are_those_of_the_header() {
        List<Integer> expected = IntStream.rangeClosed(5001, 5050).filter(c -> c != 5021 && c != 5032).boxed().toList();
        assertEquals(expected, Arrays.stream(CuFileStatus.values()).map(CuFileStatus::code).toList());
        assertEquals(5016, CuFileStatus.INVALID_MAPPING_SIZE.code());
        assertEquals(5027, CuFileStatus.HANDLE_NOT_REGISTERED.code());
        assertEquals(5033, CuFileStatus.NVFS_SETUP_ERROR.code());
        assertEquals(5050, CuFileStatus.IO_MAX_ERROR.code());
    }

    @Test
    void every_status_is_named_with_its_call_and_number() {
        for (CuFileStatus status : CuFileStatus.values()) {
            String text = text(status.code(), 0);
            assertTrue(text.startsWith("libcufile: cuFileX failed with " + status.code() + " (CU_FILE_" + status.name()
                    + ", "), text);
        }
        assertTrue(text(5077, 0).contains("5077 (a status that"), text(5077, 0));
    }

    @Test
    void a_failed_driver_is_named_too() {
        assertTrue(text(5011, 2).contains("CU_FILE_CUDA_DRIVER_ERROR") && text(5011, 2).contains("CUDA_ERROR_2"),
                text(5011, 2));
        assertTrue(text(5030, 700).contains("CUDA_ERROR_700"), text(5030, 700));
    }

    @Test
    void known_ways_out_are_told() {
        assertTrue(text(5027, 0).contains("udev"), text(5027, 0));
        assertTrue(text(5016, 0).contains("max_device_pinned_mem_size_kb"), text(5016, 0));
        assertTrue(text(5001, 0).contains("allow_compat_mode"), text(5001, 0));
    }

    @Test
    void reads_fail_with_an_errno_or_a_status() {
        Where where = Where.file(Path.of("/models/a")).withOffset(4096);
        BackendException io = CuFileStatus.readFailure(-1, "Input/output error", where);
        assertEquals("libcufile: cuFileRead failed with -1 (Input/output error)" + where, io.getMessage());
        BackendException status = CuFileStatus.readFailure(-5012, "", where);
        assertTrue(status.getMessage().contains("-5012 (CU_FILE_CUDA_POINTER_INVALID"), status::getMessage);
        assertEquals(where, status.where());
    }
}
