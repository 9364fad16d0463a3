"""A stand-in for AMD's package: the functions, names and units of amdsmi 7.0 that are used.

It answers from `STATE`, a list of GPUs; what is not in it is not supported.
"""

from enum import IntEnum

STATE = []
OPEN = [0]


class AmdSmiException(Exception):
    pass


class AmdSmiLibraryException(AmdSmiException):
    def __init__(self, code):
        super().__init__(f"error {code}")
        self._code = code

    def get_error_code(self):
        return self._code


AmdSmiMemoryType = IntEnum("AmdSmiMemoryType", "VRAM VIS_VRAM GTT", start=0)
AmdSmiClkType = IntEnum("AmdSmiClkType", "SYS GFX DF DCEF SOC MEM", start=0)
AmdSmiTemperatureType = IntEnum("AmdSmiTemperatureType", "EDGE HOTSPOT", start=0)
AmdSmiTemperatureMetric = IntEnum("AmdSmiTemperatureMetric", "CURRENT MAX", start=0)


def _answer(handle, key):
    answer = STATE[handle].get(key, 2)
    if isinstance(answer, Exception):
        raise answer
    if answer == 2:
        raise AmdSmiLibraryException(2)
    return answer


def amdsmi_init():
    OPEN[0] += 1


def amdsmi_shut_down():
    OPEN[0] -= 1


def amdsmi_get_processor_handles():
    return list(range(len(STATE)))


def amdsmi_get_gpu_asic_info(handle):
    return {"market_name": STATE[handle]["name"]}


def amdsmi_get_gpu_device_uuid(handle):
    return STATE[handle]["uuid"]


def amdsmi_get_gpu_activity(handle):
    return _answer(handle, "activity")


def amdsmi_get_gpu_memory_usage(handle, kind):
    return _answer(handle, f"{kind.name} used")


def amdsmi_get_gpu_memory_total(handle, kind):
    return _answer(handle, f"{kind.name} total")


def amdsmi_get_power_info(handle):
    return _answer(handle, "power")


def amdsmi_get_power_cap_info(handle):
    return _answer(handle, "cap")


def amdsmi_get_energy_count(handle):
    return _answer(handle, "energy")


def amdsmi_get_temp_metric(handle, sensor, metric):
    return _answer(handle, f"{sensor.name} {metric.name}")


def amdsmi_get_clock_info(handle, kind):
    return _answer(handle, f"{kind.name} clock")


def amdsmi_get_gpu_total_ecc_count(handle):
    return _answer(handle, "ecc")


def amdsmi_get_gpu_process_list(handle):
    return _answer(handle, "processes")
