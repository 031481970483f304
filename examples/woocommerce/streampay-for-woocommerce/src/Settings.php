<?php
/**
 * What the merchant has set, read once and never guessed.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

/** The stored settings of the gateway, as facts. */
final class Settings {

	public const OPTION = 'woocommerce_streampay_settings';

	/** What an order may become by each kind of news. Nothing here says paid: that takes final money alone. */
	public const STATES = array(
		'state_unconfirmed' => array( 'on-hold', 'pending' ),
		'state_underpaid'   => array( 'on-hold', 'pending' ),
		'state_expired'     => array( 'cancelled', 'failed', 'pending' ),
	);

	/**
	 * Wrap stored values.
	 *
	 * @param array<string, mixed> $values As WooCommerce stores them.
	 */
	public function __construct( private array $values ) {}

	/** Read the stored settings. */
	public static function load(): self {
		$values = get_option( self::OPTION, array() );
		return new self( is_array( $values ) ? $values : array() );
	}

	/** Tell whether real money is asked for. */
	public function is_live(): bool {
		return 'no' === $this->text( 'testmode' ); // Anything but a clear no is a test.
	}

	/** Return `live` or `test`. */
	public function mode(): string {
		return $this->is_live() ? 'live' : 'test';
	}

	/** Return the key of the mode. */
	public function api_key(): string {
		return $this->text( $this->mode() . '_key' );
	}

	/** Return where the gateway is, without a slash at the end. */
	public function base_url(): string {
		return rtrim( $this->text( 'base_url' ), '/' );
	}

	/** @return list<string> The webhook secrets of the mode. */
	public function secrets(): array {
		$lines = preg_split( '/\s+/', $this->text( $this->mode() . '_secrets' ), -1, PREG_SPLIT_NO_EMPTY );
		return is_array( $lines ) ? $lines : array();
	}

	/** Return `automatic` or `manual`. */
	public function capture_method(): string {
		return 'manual' === $this->text( 'capture_method' ) ? 'manual' : 'automatic';
	}

	/**
	 * Return what an order becomes by a kind of news; a stored word that is not offered counts as the default.
	 *
	 * @param string $name A key of STATES.
	 */
	public function state( string $name ): string {
		$chosen = $this->text( $name );
		return in_array( $chosen, self::STATES[ $name ], true ) ? $chosen : self::STATES[ $name ][0];
	}

	/** Tell whether more than failures are logged. */
	public function is_debugging(): bool {
		return 'yes' === $this->text( 'debug' );
	}

	/** @return list<string> Why nobody can pay yet; empty when all is set. */
	public function problems(): array {
		$problems = array();
		$address  = self::address_problem( $this->base_url(), $this->is_live() );
		if ( null !== $address ) {
			$problems[] = $address;
		}
		if ( 1 !== preg_match( '/\Ask_' . $this->mode() . '_[A-Za-z0-9_-]{8,}\z/', $this->api_key() ) ) {
			/* translators: %s: test or live */
			$problems[] = sprintf( __( 'The secret key for this mode is missing or malformed: it begins with sk_%s_.', 'streampay-for-woocommerce' ), $this->mode() );
		}
		$secrets = $this->secrets();
		if ( array() === $secrets || in_array( null, array_map( array( Signature::class, 'key' ), $secrets ), true ) ) {
			$problems[] = __( 'A webhook secret for this mode is missing or malformed: whsec_ and base64, one in a line.', 'streampay-for-woocommerce' );
		}
		return $problems;
	}

	/**
	 * Say what is wrong with the gateway's address; null when it is good.
	 *
	 * @param string $url     What was typed.
	 * @param bool   $is_live Real money goes over https alone.
	 */
	public static function address_problem( string $url, bool $is_live ): ?string {
		$parts   = wp_parse_url( $url );
		$scheme  = is_array( $parts ) ? ( $parts['scheme'] ?? '' ) : '';
		$is_good = is_array( $parts ) && isset( $parts['host'] ) && in_array( $scheme, array( 'https', 'http' ), true )
			&& ! isset( $parts['user'] ) && ! isset( $parts['pass'] ) && ! isset( $parts['query'] ) && ! isset( $parts['fragment'] );
		if ( ! $is_good ) {
			return __( 'The gateway URL is the address of your gateway, such as https://pay.example.com', 'streampay-for-woocommerce' );
		}
		if ( '' !== trim( $parts['path'] ?? '', '/' ) ) {
			return __( 'The gateway URL ends after the host: leave out /v1 and any other path.', 'streampay-for-woocommerce' );
		}
		if ( $is_live && 'https' !== $scheme && ! in_array( $parts['host'], array( 'localhost', '127.0.0.1', '[::1]' ), true ) ) {
			return __( 'In live mode the gateway URL begins with https://', 'streampay-for-woocommerce' );
		}
		return null;
	}

	private function text( string $name ): string {
		$value = $this->values[ $name ] ?? '';
		return is_string( $value ) ? trim( $value ) : '';
	}
}
