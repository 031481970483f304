<?php
/**
 * The button that tests the settings, and what it finds: each check names what stands in the way.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

/** Asks the gateway everything that a first payment would find out the hard way. */
final class Self_Test {

	public const ACTION         = 'streampay_self_test';
	private const CLOCK_WARN_S  = 60;
	private const DELIVERY_S    = 15; // The ping's first try leaves at once.
	private const PAUSE_US      = 300_000;

	/** @var list<array{result: string, text: string}> What was found so far. */
	private array $found = array();

	/** Test with these settings, which may not be stored yet. */
	public function __construct( private Settings $settings, private Api $api ) {}

	/** Answer the button: administrators of the shop, with the page's own nonce. */
	public static function serve(): void {
		check_ajax_referer( self::ACTION );
		if ( ! current_user_can( 'manage_woocommerce' ) ) {
			wp_send_json_error( array( 'message' => 'forbidden' ), 403 );
		}
		$settings = Settings::load();
		wp_send_json_success( ( new self( $settings, Api::from( $settings ) ) )->run() );
	}

	/** @return list<array{result: string, text: string}> Every check, with `ok`, `warn` or `fail`. */
	public function run(): array {
		foreach ( $this->settings->problems() as $problem ) {
			$this->say( 'fail', $problem );
		}
		if ( array() !== $this->found ) {
			return $this->found; // Without these nothing else can be asked.
		}
		try {
			$this->check_account();
			$this->check_methods();
			$this->check_lock();
			$this->check_webhook();
		} catch ( Api_Error $error ) {
			/* translators: %s: reason */
			$this->say( 'fail', sprintf( __( 'The gateway: %s', 'streampay-for-woocommerce' ), $error->for_merchant() ) );
		}
		return $this->found;
	}

	private function check_account(): void {
		$account = $this->api->get( '/v1/account' );
		/* translators: 1: merchant's name 2: test or live */
		$this->say( 'ok', sprintf( __( 'The key belongs to %1$s, %2$s mode.', 'streampay-for-woocommerce' ), $account->text( 'name' ), $this->settings->mode() ) );
		if ( ( $account->body['livemode'] ?? null ) !== $this->settings->is_live() ) {
			$this->say( 'fail', __( 'The key is of the other mode.', 'streampay-for-woocommerce' ) );
		}
		$theirs = strtotime( $account->date );
		$off_s  = false === $theirs ? 0 : time() - $theirs;
		/* translators: %d: seconds */
		$clock = sprintf( __( 'The clocks differ by %d s; webhooks are refused from 300 s on.', 'streampay-for-woocommerce' ), $off_s );
		$this->say( abs( $off_s ) > Signature::TOLERANCE_S ? 'fail' : ( abs( $off_s ) > self::CLOCK_WARN_S ? 'warn' : 'ok' ), $clock );
		$origins = is_array( $account->body['origins'] ?? null ) ? $account->body['origins'] : array();
		$mine    = self::origin( home_url() );
		$is_near = ! $this->settings->is_live() && in_array( wp_parse_url( $mine, PHP_URL_HOST ), array( 'localhost', '127.0.0.1' ), true );
		if ( in_array( $mine, $origins, true ) || $is_near ) {
			/* translators: %s: origin */
			$this->say( 'ok', sprintf( __( 'The gateway sends shoppers back to %s.', 'streampay-for-woocommerce' ), $mine ) );
			return;
		}
		/* translators: 1: origin 2: list of origins */
		$this->say( 'fail', sprintf( __( 'The gateway sends shoppers back to %2$s only. Add %1$s to the account\'s origins.', 'streampay-for-woocommerce' ), $mine, implode( ', ', array_filter( $origins, 'is_string' ) ) ) );
	}

	private function check_methods(): void {
		$currency = get_woocommerce_currency();
		$methods  = $this->api->get( '/v1/methods', array( 'amount' => '10', 'currency' => $currency ) )->body['data'] ?? array();
		$offered  = array_filter( is_array( $methods ) ? $methods : array(), static fn( $one ): bool => true === ( $one['available'] ?? null ) );
		$names    = implode( ', ', array_column( $offered, 'title' ) );
		/* translators: 1: currency 2: list of methods */
		$text = sprintf( __( 'Ways to pay 10 %1$s: %2$s', 'streampay-for-woocommerce' ), $currency, '' === $names ? __( 'none', 'streampay-for-woocommerce' ) : $names );
		$this->say( '' === $names ? 'fail' : 'ok', $text );
	}

	private function check_lock(): void {
		if ( 'database' === Order_Lock::kind() ) {
			$this->say( 'ok', __( 'Orders are locked by the database.', 'streampay-for-woocommerce' ) );
			return;
		}
		$this->say( 'warn', __( 'This database has no named locks; orders are locked by files. That is enough on one machine, and on one only.', 'streampay-for-woocommerce' ) );
	}

	private function check_webhook(): void {
		$endpoint = $this->endpoint();
		if ( null === $endpoint ) {
			return;
		}
		$id   = (string) $endpoint['id'];
		$ping = $this->api->post( "/v1/webhook_endpoints/$id/test", array(), 'wc-ping-' . wp_generate_uuid4() )->text( 'id' );
		for ( $until = time() + self::DELIVERY_S; time() <= $until; ) {
			$tries = $this->api->get( "/v1/webhook_endpoints/$id/deliveries", array( 'limit' => '20' ) )->body['data'] ?? array();
			foreach ( is_array( $tries ) ? $tries : array() as $try ) {
				if ( ( $try['event'] ?? null ) === $ping ) {
					$this->judge( $try, $ping );
					return;
				}
			}
			usleep( self::PAUSE_US );
		}
		$this->say( 'fail', __( 'The gateway has not sent the test event: is its worker running?', 'streampay-for-woocommerce' ) );
	}

	/** @param array<string, mixed> $try The delivery of the ping, as the gateway saw it. */
	private function judge( array $try, string $ping ): void {
		wp_cache_delete( Webhook::HEALTH, 'options' ); // Another process has written it.
		wp_cache_delete( 'alloptions', 'options' );
		if ( 'succeeded' === ( $try['outcome'] ?? '' ) && ( Webhook::health()['ping'] ?? '' ) === $ping ) {
			$this->say( 'ok', __( 'A test event went from the gateway to this shop and was verified here.', 'streampay-for-woocommerce' ) );
			return;
		}
		if ( 'succeeded' === ( $try['outcome'] ?? '' ) ) {
			$this->say( 'fail', __( 'Something answered the test event in this shop\'s place: a cache, a firewall or a copy of the shop.', 'streampay-for-woocommerce' ) );
			return;
		}
		$status = (string) ( $try['status_code'] ?? __( 'none', 'streampay-for-woocommerce' ) );
		$said   = wp_strip_all_tags( substr( (string) ( $try['error'] ?? '' ) . ' ' . (string) ( $try['response_excerpt'] ?? '' ), 0, 200 ) );
		/* translators: 1: HTTP status 2: what was answered */
		$this->say( 'fail', sprintf( __( 'The test event did not arrive. Status: %1$s. Answer: %2$s. signature_mismatch: copy the endpoint\'s secret again. 403 or 429: a firewall or proxy blocks the gateway.', 'streampay-for-woocommerce' ), $status, trim( $said ) ) );
	}

	/** @return array<string, mixed>|null The endpoint of this shop, if it can be sent to. */
	private function endpoint(): ?array {
		$all  = $this->api->get( '/v1/webhook_endpoints', array( 'limit' => '100' ) )->body['data'] ?? array();
		$urls = array();
		foreach ( is_array( $all ) ? $all : array() as $endpoint ) {
			if ( ( $endpoint['url'] ?? '' ) !== Plugin::webhook_url() ) {
				$urls[] = (string) ( $endpoint['url'] ?? '' );
				continue;
			}
			if ( 'enabled' !== ( $endpoint['status'] ?? '' ) ) {
				/* translators: %s: reason */
				$this->say( 'fail', sprintf( __( 'The webhook endpoint is disabled: %s. Enable it at the gateway.', 'streampay-for-woocommerce' ), (string) ( $endpoint['disabled_reason'] ?? '' ) ) );
				return null;
			}
			return $endpoint;
		}
		/* translators: 1: this shop's address 2: the addresses that the gateway knows */
		$this->say( 'fail', sprintf( __( 'No webhook endpoint has this shop\'s address %1$s. The gateway has: %2$s', 'streampay-for-woocommerce' ), Plugin::webhook_url(), array() === $urls ? __( 'none', 'streampay-for-woocommerce' ) : implode( ', ', $urls ) ) );
		return null;
	}

	/** Return a sentence about the webhooks of late. */
	public static function health_line(): string {
		$health = Webhook::health();
		$worked = (int) ( $health['worked_at'] ?? 0 );
		$failed = (int) ( $health['failed_at'] ?? 0 );
		$line   = 0 === $worked
			? __( 'No webhook has been taken yet.', 'streampay-for-woocommerce' )
			/* translators: %s: date */
			: sprintf( __( 'The last webhook was taken on %s UTC.', 'streampay-for-woocommerce' ), gmdate( 'Y-m-d H:i', $worked ) );
		if ( 0 !== $failed ) {
			/* translators: 1: date 2: reason */
			$line .= ' ' . sprintf( __( 'The last one was refused on %1$s UTC: %2$s.', 'streampay-for-woocommerce' ), gmdate( 'Y-m-d H:i', $failed ), (string) ( $health['failure'] ?? '' ) );
		}
		return $line;
	}

	/**
	 * Return the row of the settings page.
	 *
	 * @param string $title Its heading.
	 */
	public static function button( string $title ): string {
		return sprintf(
			'<tr valign="top"><th scope="row" class="titledesc">%1$s</th><td class="forminp"><button type="button" class="button" id="streampay-self-test" data-url="%2$s" data-action="%3$s" data-nonce="%4$s">%5$s</button><p class="description">%6$s</p><ul id="streampay-self-test-found" role="status" aria-live="polite"></ul></td></tr>',
			esc_html( $title ),
			esc_url( admin_url( 'admin-ajax.php' ) ),
			esc_attr( self::ACTION ),
			esc_attr( wp_create_nonce( self::ACTION ) ),
			esc_html__( 'Run the test', 'streampay-for-woocommerce' ),
			esc_html__( 'Save first. Asks the gateway about the key, the clocks, this shop\'s address and the ways to pay, and has it send a test event here.', 'streampay-for-woocommerce' )
		);
	}

	/** Load the button's script on the settings page alone. */
	public static function enqueue(): void {
		$section = isset( $_GET['section'] ) && is_string( $_GET['section'] ) ? sanitize_key( wp_unslash( $_GET['section'] ) ) : ''; // phpcs:ignore WordPress.Security.NonceVerification -- only decides which script to load
		if ( Plugin::ID === $section ) {
			wp_enqueue_script( 'streampay-self-test', plugins_url( 'assets/self-test.js', PLUGIN_FILE ), array(), VERSION, true );
		}
	}

	private static function origin( string $url ): string {
		$parts = wp_parse_url( $url );
		return ( $parts['scheme'] ?? '' ) . '://' . ( $parts['host'] ?? '' ) . ( isset( $parts['port'] ) ? ':' . $parts['port'] : '' );
	}

	private function say( string $result, string $text ): void {
		$this->found[] = array( 'result' => $result, 'text' => $text );
	}
}
