// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78): an instruction where there is one, else a table.
#include "kernels.h"

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

namespace cria::CRIA_ISA {

namespace {

#if defined(__SSE4_2__)
uint32_t update(uint32_t state, const uint8_t* bytes, int64_t count) {
  uint64_t wide = state;
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    uint64_t word;
    __builtin_memcpy(&word, bytes + i, sizeof word);
    wide = _mm_crc32_u64(wide, word);
  }
  state = static_cast<uint32_t>(wide);
  for (; i < count; ++i) state = _mm_crc32_u8(state, bytes[i]);
  return state;
}
#else
struct Table {
  uint32_t entry[256];
};

constexpr Table makeTable() {
  Table table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
    table.entry[byte] = crc;
  }
  return table;
}

constexpr Table kByteTable = makeTable();

uint32_t update(uint32_t state, const uint8_t* bytes, int64_t count) {
  for (int64_t i = 0; i < count; ++i) state = (state >> 8) ^ kByteTable.entry[(state ^ bytes[i]) & 255];
  return state;
}
#endif

}  // namespace

cria_status crc32c(cria_context*, uint32_t* crc, const uint8_t* bytes, int64_t count) {
  *crc = ~update(~*crc, bytes, count);
  return CRIA_OK;
}

}  // namespace cria::CRIA_ISA
