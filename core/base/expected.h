// A value or the reason why there is none. The one place that meets tl::expected.
#pragma once

#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

namespace ntsd {

template <typename Value, typename Error>
using Expected = tl::expected<Value, Error>;

template <typename Error>
constexpr auto Unexpected(Error&& error) {
  return tl::unexpected<std::decay_t<Error>>(std::forward<Error>(error));
}

}  // namespace ntsd
