<?php
/**
 * The gateway said no, or nothing.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use RuntimeException;

/** A problem document (RFC 9457), or a connection that failed. */
final class Api_Error extends RuntimeException {

	/**
	 * Keep what decides how to go on.
	 *
	 * @param int          $status       The HTTP status; 0 when no answer came.
	 * @param string       $word         The stable code, such as `amount_too_precise`.
	 * @param string       $detail       A sentence for people.
	 * @param bool         $is_retryable The same request may be sent again.
	 * @param string       $request_id   To be named to the gateway's operator.
	 * @param list<string> $params       The wrong fields.
	 */
	public function __construct(
		public int $status,
		public string $word,
		public string $detail,
		public bool $is_retryable = false,
		public string $request_id = '',
		public array $params = array()
	) {
		parent::__construct( $word . ': ' . $detail );
	}

	/** Tell whether the command may have taken effect all the same. */
	public function is_unknown(): bool {
		return 0 === $this->status || $this->status >= 500;
	}

	/** Return a sentence for the merchant. */
	public function for_merchant(): string {
		$trace = '' === $this->request_id ? '' : ', ' . $this->request_id;
		return "{$this->detail} ({$this->word}{$trace})";
	}
}
